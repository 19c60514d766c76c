#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every function that the library calls can be made to fail, or is listed as
# one that need not: a call that somebody adds is noticed. Arguments: nm, and
# the library's objects.
set -eu

here=$(dirname "$0")
nm=$1
shift

known=$(grep -hE '^[A-Za-z_]' "$here/wrapped.txt" "$here/harmless.txt" | sort -u)
called=$("$nm" -u "$@" | awk 'NF == 2 && $1 == "U" { print $2 }' |
	grep -vE '^(hp_|hotpatch_|_GLOBAL_OFFSET_TABLE_|__tls_get_addr)' |
	sort -u)
[ -n "$called" ] || exit 1

missing=$(echo "$called" | grep -vxF "$known" || true)
if [ -n "$missing" ]; then
	echo "in neither wrapped.txt nor harmless.txt:" >&2
	echo "$missing" >&2
	exit 1
fi

stale=$(grep -hE '^[a-z_]' "$here/wrapped.txt" | grep -vxF "$called" || true)
if [ -n "$stale" ]; then
	echo "wrapped, but never called by the library:" >&2
	echo "$stale" >&2
	exit 1
fi

# Each is met by a scenario, which fails if it does not call it.
met=$(awk '/ required\[\] = \{/, /\};/' "$here"/*_faults.c |
	grep -o 'FAULT_[a-z_0-9]*' | sort -u)
met="$met
$(sed -n 's/.*expect_start(\(FAULT_[a-z_0-9]*\).*/\1/p' "$here"/*_faults.c)"
wrapped=$(sed -n 's/^\tX(\([a-z_0-9]*\),.*/FAULT_\1/p' "$here/inject.h" |
	sort)
[ -n "$wrapped" ] || exit 1
unmet=$(echo "$wrapped" | grep -vxF "$met" || true)
if [ -n "$unmet" ]; then
	echo "required by no scenario:" >&2
	echo "$unmet" >&2
	exit 1
fi
