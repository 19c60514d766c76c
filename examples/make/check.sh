#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs a build of the library somewhere and runs the Makefile beside this
# file against it, in a directory of its own.
#
# usage: check.sh BUILD-DIRECTORY
set -eu

here=$(cd "$(dirname "$0")" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' INT TERM HUP

cmake --install "$1" --prefix "$stage/prefix" >"$stage/log" 2>&1 || {
	cat "$stage/log" >&2
	exit 1
}
PKG_CONFIG_PATH=$(dirname "$(find "$stage/prefix" -name hotpatch.pc)")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
seal=$stage/prefix/bin/hotpatch
if [ ! -x "$seal" ] || "$seal" assess "$0" 2>&1 | grep -q E_UNSUPPORTED; then
	seal=
fi
mkdir "$stage/work"
make -C "$stage/work" -f "$here/Makefile" SEAL="$seal" check >"$stage/out"
cat "$stage/out"
grep -q '^patched: step(10) is 20$' "$stage/out"
grep -q '^after:   step(10) is 11$' "$stage/out"
