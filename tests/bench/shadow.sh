#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What shadow data costs beside a member and beside a plain hash table: in
# instructions, which are judged, and in nanoseconds, which are not. The table
# is compiled by gcc -O2, whatever the library was built with.
#
# usage: shadow.sh BUILD_DIR
set -eu

[ $# -eq 1 ] || exit 2
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
rounds=10000
objects=1024

# A get is at most this many more than a lookup in a table that nobody else
# may change: the stamps, the key and the number of fillings.
most=30

skip() {
	echo "shadow.sh: skipped: $1"
	exit 77
}

command -v valgrind >/dev/null || skip "valgrind is missing"
command -v gcc >/dev/null || skip "gcc is missing"
[ "$(uname -m)" = x86_64 ] || skip "the limit is for x86-64"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
gcc -std=c17 -D_GNU_SOURCE -O2 -I"$root/include" -I"$build/include" \
	"$root/tests/bench/shadow.c" "$root/lib/shadow_table.c" \
	-o "$scratch/shadow"

# total LOOP COUNT
total() {
	valgrind --tool=callgrind --callgrind-out-file="$scratch/out" \
		"$scratch/shadow" "$1" "$2" "$objects" >"$scratch/log" 2>&1 || {
		cat "$scratch/log" >&2
		exit 1
	}
	sed -n 's/^summary: //p' "$scratch/out"
}

# of_loop LOOP: of one round, on average, in hundredths: how far a lookup walks
# depends on the object.
of_loop() {
	few=$(total "$1" "$rounds")
	many=$(total "$1" $((rounds * 2)))
	echo $(((many - few) * 100 / rounds))
}

# decimal HUNDREDTHS
decimal() {
	printf '%d.%02d' $(($1 / 100)) $(($1 % 100))
}

empty=$(of_loop empty)
member=$(($(of_loop member) - empty))
plain=$(($(of_loop plain) - empty))
shadow=$(($(of_loop shadow) - empty))
printf '%10s %10s %10s %10s\n' instructions member plain shadow
printf '%12s %10s %10s %10s\n' "" "$(decimal "$member")" "$(decimal "$plain")" \
	"$(decimal "$shadow")"
printf '\n%10s %10s %10s %10s %13s\n' objects member/ns plain/ns shadow/ns \
	shadow/plain
for count in 16 1024 65536; do
	"$scratch/shadow" times "$count"
done
if [ "$shadow" -gt $((plain + most * 100)) ]; then
	echo "shadow.sh: a get takes $(decimal "$shadow") instructions, wanted" \
		"at most $most more than a plain lookup" >&2
	exit 1
fi
