#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs the coverage program over the C library, with the symbols of its debug
# package, and five others. Argument: the program. Skipped where a library is
# missing.

set -eu

folder=/lib/$(uname -m)-linux-gnu
libraries=()
for name in libm.so.6 libz.so.1 libsqlite3.so.0 libstdc++.so.6 \
	libcrypto.so.3 libc.so.6; do
	path=$folder/$name
	[ -e "$path" ] || path=/usr$path
	[ -e "$path" ] || {
		echo "$name is missing"
		exit 77
	}
	libraries+=("$path")
done
exec "$1" "${libraries[@]}"
