#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# clang-tidy has nothing to say about the library and the command. Its second
# argument is the build folder, which has the compile commands.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

clang-tidy --version | grep -q 'version 14' || exit 77
[ -e "$1/compile_commands.json" ] || exit 77
find lib -name '*.c' ! -path '*/aarch64/*' ! -name '*disabled.c' | sort |
	xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$1" \
		--warnings-as-errors='*' 2>/dev/null
