#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds the core for aarch64 and runs its unit and integration tests under
# qemu's user mode. Arguments: source folder, folder to work in.

set -eu

source_folder=$1
work=$2
sysroot=$work/sysroot

for tool in aarch64-linux-gnu-gcc qemu-aarch64-static; do
	command -v $tool >/dev/null || {
		echo "$tool is missing"
		exit 77
	}
done
bash "$source_folder/tests/aarch64/sysroot.sh" "$sysroot" || {
	echo "the libraries for aarch64 cannot be had"
	exit 77
}

export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig
export PKG_CONFIG_SYSROOT_DIR=$sysroot
cmake -S "$source_folder" -B "$work/build" -G Ninja \
	-DCMAKE_TOOLCHAIN_FILE="$source_folder/cmake/aarch64.cmake" \
	-DCMAKE_BUILD_TYPE=Debug \
	-DCMAKE_C_FLAGS="-Wall -Wextra -Werror" \
	-DHOTPATCH_CONTROL=OFF -DHOTPATCH_TOOLS=OFF -DHOTPATCH_EXAMPLES=OFF \
	-DHOTPATCH_SIGNATURES=OFF \
	-DHOTPATCH_TEST_SUITES="unit;integration" \
	-DHOTPATCH_TEST_PREFIX=aarch64.
cmake --build "$work/build"
ctest --test-dir "$work/build" -j "$(nproc)" --output-on-failure \
	--no-tests=error
