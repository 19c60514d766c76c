# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the package tests share. Each is called with the source folder, a folder
# to work in, the compiler, and arguments of its own.

set -eu
export LC_ALL=C

source_folder=$1
work=$2
cc=$3
shift 3
# Used by those that include this file.
# shellcheck disable=SC2034
consumer=$source_folder/tests/package/consumer

rm -rf "$work"
mkdir -p "$work"

fail()
{
	echo "$*" >&2
	exit 1
}

# Says nothing unless the command fails.
quietly()
{
	"$@" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		fail "failed: $*"
	}
}

# configure SOURCE BUILD [OPTION...]
configure()
{
	local from=$1 to=$2
	shift 2
	quietly cmake -S "$from" -B "$to" -G Ninja \
		-DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@"
}

# build_library BUILD [OPTION...]: without tests and examples
build_library()
{
	local to=$1
	shift
	configure "$source_folder" "$to" -DHOTPATCH_TESTS=OFF \
		-DHOTPATCH_EXAMPLES=OFF -DCMAKE_INSTALL_LIBDIR=lib "$@"
	quietly cmake --build "$to"
}
