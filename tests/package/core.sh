#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Without the control socket, signatures, redirection and the command the library needs the C library
# alone, and works.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

options=(-DHOTPATCH_CONTROL=OFF -DHOTPATCH_TOOLS=OFF
	-DHOTPATCH_SIGNATURES=OFF -DHOTPATCH_REDIRECT=OFF)
build_library "$work/library" "${options[@]}" \
	-DCMAKE_C_FLAGS="-Wall -Wextra -Wshadow -Werror"
needed=$(readelf -d "$work/library/lib/libhotpatch.so" |
	sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ -n "$needed" ] || fail "readelf shows no needed library"
for name in $needed; do
	case $name in
	libc.so.* | libdl.so.* | libpthread.so.* | ld-linux*) ;;
	*) fail "the core needs $name" ;;
	esac
done

configure "$consumer" "$work/folder" -DHOTPATCH_SOURCE="$source_folder" \
	"${options[@]}"
quietly cmake --build "$work/folder"
quietly ctest --test-dir "$work/folder" --output-on-failure
