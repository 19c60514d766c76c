#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library exports what its map lists, and the map lists what the public
# headers declare: no more, no less.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

library=$1
include=$2

sed -n 's/^\t\t\([a-z_]*\);$/\1/p' "$source_folder/lib/hotpatch.map" |
	sort >"$work/map"
nm -D --defined-only "$library" |
	awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
diff "$work/map" "$work/exported" || fail "exported (>) is not the map (<)"

# Declarations with default visibility; the name is before the parameters, or
# last.
for header in "$source_folder"/include/hotpatch/*.h; do
	echo "#include <hotpatch/$(basename "$header")>"
done | "$cc" -E -P -x c -I"$source_folder/include" -I"$include" - |
	tr '\n' ' ' | sed 's/[;{}]/\n/g' | grep 'visibility("default")' |
	sed -E 's/__attribute__ *\(\(([^()]|\([^()]*\))*\)\)//g' |
	sed -E 's/\(.*//; s/.*[ *]([a-z_]+) *$/\1/' | sort -u >"$work/declared"
diff "$work/map" "$work/declared" || fail "declared (>) is not the map (<)"
[ "$(wc -l <"$work/map")" -gt 20 ] || fail "the map was not understood"
