#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Counts the instructions of the fast paths and fails if one takes more than it
# is promised to take. callgrind counts two runs of a loop that differ only in
# how often it goes round, so everything else cancels out; what the empty loop
# takes is taken off.
#
# Only the program built by gcc -O2 is judged. The figures of clang, and of
# code inside a shared library, are for information.
#
# usage: instructions.sh BUILD_DIR
set -eu

[ $# -eq 1 ] || exit 2
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
library=$build/lib/libhotpatch.so
rounds=10000

skip() {
	echo "instructions.sh: skipped: $1"
	exit 77
}

command -v valgrind >/dev/null || skip "valgrind is missing"
command -v gcc >/dev/null || skip "gcc is missing"
[ "$(uname -m)" = x86_64 ] || skip "the limits are for x86-64"
[ -e "$library" ] || skip "there is no shared library"
if LC_ALL=C readelf -Ws --dyn-syms "$library" | grep -Eq ' __(a|t|ub)san_'; then
	skip "the library has sanitizers"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# compile NAME COMPILER: the program as it is, and one that has the loops and
# what they call in a shared library.
compile() {
	set -- "$1" "$2" -O2 -I"$here/../../include" -I"$build/include"
	name=$1
	compiler=$2
	shift 2
	"$compiler" "$@" "$here/instructions.c" "$here/instructions_loops.c" \
		"$here/instructions_callee.c" -o "$scratch/$name" "$library" \
		-Wl,-rpath,"$build/lib"
	"$compiler" "$@" -fPIC -shared "$here/instructions_loops.c" \
		"$here/instructions_callee.c" -o "$scratch/lib$name.so" \
		"$library" -Wl,-z,now
	"$compiler" "$@" "$here/instructions.c" -o "$scratch/$name-shared" \
		"$scratch/lib$name.so" "$library" \
		-Wl,-rpath,"$build/lib" -Wl,-rpath,"$scratch"
}

# total PROGRAM LOOP COUNT
total() {
	status=0
	valgrind --tool=callgrind --callgrind-out-file="$scratch/out" \
		"$scratch/$1" "$2" "$3" >"$scratch/log" 2>&1 || status=$?
	if [ "$status" -eq 77 ]; then
		skip "the kernel offers no membarrier"
	elif [ "$status" -ne 0 ]; then
		cat "$scratch/log" >&2
		exit 1
	fi
	sed -n 's/^summary: //p' "$scratch/out"
}

# of_loop PROGRAM LOOP: instructions of one round, the empty loop included.
# Starting the program takes a few more or less from run to run, by where things
# happen to lie; they must stay far below one for each round.
of_loop() {
	few=$(total "$1" "$2" "$rounds")
	many=$(total "$1" "$2" $((rounds * 2)))
	each=$(((many - few + rounds / 2) / rounds))
	rest=$((many - few - each * rounds))
	if [ "${rest#-}" -gt $((rounds / 10)) ]; then
		echo "instructions.sh: $1 $2: not the same in every round" >&2
		exit 1
	fi
	echo "$each"
}

# measure PROGRAM: sets a variable for each loop, the empty one taken off.
measure() {
	empty=$(of_loop "$1" empty)
	plain=$(($(of_loop "$1" plain) - empty))
	entry=$(($(of_loop "$1" entry) - empty))
	pointer=$(($(of_loop "$1" pointer) - empty))
	macro=$(($(of_loop "$1" macro) - empty))
	section=$(($(of_loop "$1" section) - empty))
	safe_point=$(($(of_loop "$1" safe-point) - empty))
	restartable=$(($(of_loop "$1" restartable) - empty))
	printf '%-14s %6d %6d %8d %6d %8d %11d %12d\n' "$1" "$plain" "$entry" \
		"$pointer" "$macro" "$section" "$safe_point" "$restartable"
}

# gate WHAT FIGURE OPERATOR LIMIT
gate() {
	if ! test "$2" "$3" "$4"; then
		echo "instructions.sh: $1 is $2, wanted $3 $4" >&2
		failures=$((failures + 1))
	fi
}

printf '%-14s %6s %6s %8s %6s %8s %11s %12s\n' "instructions" plain entry \
	pointer macro section safe-point restartable
compile gcc gcc
measure gcc
gate "a call through an entry" "$entry" -eq $((plain + 1))
gate "HOTPATCH_CALL()" "$macro" -eq "$pointer"
gate "enter and leave" "$section" -le 18
gate "a safe point" "$safe_point" -le 6
gate "a call that can be made again" "$restartable" -le $((entry + 4))
measure gcc-shared
if command -v clang >/dev/null; then
	compile clang clang
	measure clang
	measure clang-shared
fi
[ "$failures" -eq 0 ]
