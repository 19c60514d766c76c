#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each public header compiles alone, without a warning, in C11 and C++17, with
# gcc and clang; so do a host and a bundle that use every macro.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

include=$1 # holds the generated version.h
warnings=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only)

try()
{
	"$@" || fail "failed: $*"
}

check()
{
	local file=$1 compiler
	for compiler in gcc clang; do
		try $compiler -std=c11 "${warnings[@]}" -Wshadow \
			-Wstrict-prototypes -Wmissing-prototypes -O2 -x c \
			-I"$source_folder/include" -I"$include" "$file"
	done
	for compiler in g++ clang++; do
		try $compiler -std=c++17 "${warnings[@]}" -O2 -x c++ \
			-I"$source_folder/include" -I"$include" "$file"
	done
}

cd "$source_folder/include/hotpatch"
for header in *.h version.h; do
	echo "#include <hotpatch/$header>" >"$work/alone.c"
	echo "int alone_; " >>"$work/alone.c"
	check "$work/alone.c"
done
check "$source_folder/tests/package/every-macro-host.c"
check "$source_folder/tests/package/every-macro-bundle.c"
