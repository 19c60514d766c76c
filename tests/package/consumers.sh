#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs the library, moves the tree, and uses it through find_package,
# through pkg-config with make, and by add_subdirectory. The last argument is
# "shared" or "static".
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

kind=$1
shared=ON
pkg_config=pkg-config
if [ "$kind" = static ]; then
	shared=OFF
	pkg_config="pkg-config --static"
fi

build_library "$work/library" -DBUILD_SHARED_LIBS=$shared
quietly cmake --install "$work/library" --prefix "$work/before"
mv "$work/before" "$work/moved"

# No file of the installed tree knows where it was built or installed first.
grep -rlF -e "$work/before" "$work/moved/lib/cmake" "$work/moved/lib/pkgconfig" &&
	fail "the installed tree names its first place"

configure "$consumer" "$work/package" -DCMAKE_PREFIX_PATH="$work/moved" \
	-DCONSUMER_SEAL=SEAL
quietly cmake --build "$work/package"
quietly ctest --test-dir "$work/package" --output-on-failure
"$work/moved/bin/hotpatch" inspect "$work/package/fix.so" |
	grep -q '^for the program.*, sealed' || fail "the bundle is not sealed"

configure "$consumer" "$work/folder" -DHOTPATCH_SOURCE="$source_folder" \
	-DBUILD_SHARED_LIBS=$shared -DCONSUMER_SEAL=SEAL
quietly cmake --build "$work/folder"
quietly ctest --test-dir "$work/folder" --output-on-failure
[ "$(ctest --test-dir "$work/folder" -N | grep -c 'Test *#')" = 2 ] ||
	fail "a project that adds the folder gets the library's own tests"

# The bundle is made anew with its host, not only the host.
id_of_target()
{
	sed -n 's/.*TARGET_BUILD_ID "\(.*\)"/\1/p' "$work/package/fix-target.h"
}
old_id=$(id_of_target)
configure "$consumer" "$work/package" -DCMAKE_C_FLAGS=-DCHANGED \
	-DCMAKE_BUILD_TYPE=Debug
quietly cmake --build "$work/package"
[ "$old_id" != "$(id_of_target)" ] || fail "the bundle kept the old build-id"
quietly ctest --test-dir "$work/package" --output-on-failure

mkdir "$work/make"
export PKG_CONFIG_PATH=$work/moved/lib/pkgconfig
LD_LIBRARY_PATH=$work/moved/lib quietly make -C "$work/make" \
	-f "$source_folder/examples/make/Makefile" \
	CC="$cc" PKG_CONFIG="$pkg_config" check

# The kit for tests of rollouts, without CMake.
# shellcheck disable=SC2046,SC2086 # words of their own
quietly "$cc" -rdynamic "$consumer/fleet.c" -o "$work/make/fleet" \
	$($pkg_config --cflags hotpatch) -lhotpatch-rollout \
	$($pkg_config --libs hotpatch)

if [ "$kind" = static ]; then
	[ ! -e "$work/moved/lib/libhotpatch.so" ] || fail "a shared library too"
	exit 0
fi

# Each component alone holds what its name says.
for component in runtime development tools; do
	quietly cmake --install "$work/library" --component $component \
		--prefix "$work/$component"
done
cd "$work"
[ "$(cd runtime && find . -type f)" = "./lib/libhotpatch.so.0.1.0" ] ||
	fail "the runtime component is not the library alone"
[ -x tools/bin/hotpatch ] || fail "the tools component has no command"
[ -f tools/share/zsh/site-functions/_hotpatch ] ||
	fail "the tools component has no completion for zsh"
[ -e development/lib/libhotpatch.so ] || [ -h development/lib/libhotpatch.so ] ||
	fail "the development component has no libhotpatch.so"
[ ! -e development/bin ] || fail "the development component has programs"
