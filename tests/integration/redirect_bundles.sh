#!/bin/sh
# SPDX-License-Identifier: MIT
# Sealed bundles redirect functions of a program without symbols. Arguments: the
# command, and the folder in which the tests were built.
set -eu

program=$2/test_integration_redirect_bundles
[ -e "$program" ] || exit 77

directory=$(mktemp -d /tmp/hotpatch-stripped-XXXXXX)
trap 'rm -rf "$directory"' EXIT
strip --strip-all -o "$directory/program" "$program"
if nm -C "$directory/program" 2>/dev/null | grep -q .; then
	echo "it has symbols still"
	exit 1
fi
# The thread sanitizer cannot cope with a widely spread address space.
launcher=
if LC_ALL=C nm -D "$directory/program" | grep -q __tsan_init &&
	setarch -R true 2>/dev/null; then
	launcher="setarch -R"
fi
HOTPATCH_TEST_STRIPPED=1 $launcher "$directory/program"
