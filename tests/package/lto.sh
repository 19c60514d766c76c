#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Hosts that are optimised at link time keep their entries, tables and targets.
# The library is an archive, so that all of it is in what is optimised.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

build_library "$work/library" -DBUILD_SHARED_LIBS=OFF
quietly cmake --install "$work/library" --prefix "$work/installed"

# try NAME FLAGS: builds and runs the consumer
try()
{
	local name=$1 flags=$2
	configure "$consumer" "$work/$name" \
		-DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_C_FLAGS="$flags"
	quietly cmake --build "$work/$name"
	quietly ctest --test-dir "$work/$name" --output-on-failure
}

case $(basename "$cc") in
*clang*)
	try plain "-O2 -flto -fuse-ld=lld"
	try thin "-O2 -flto=thin -fuse-ld=lld"
	try collected "-O2 -flto -fuse-ld=lld -ffunction-sections \
-fdata-sections -Wl,--gc-sections"
	;;
*)
	try plain "-O2 -flto"
	try split "-O2 -flto -flto-partition=max"
	try collected "-O2 -flto -ffunction-sections -fdata-sections \
-Wl,--gc-sections"
	;;
esac
