#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh MODEL [FOLDER] - searches all states of MODEL.pml and of its mutants.
# What mutants.txt calls "sound" has to be without error, searched to the end,
# with every line of the model reached ("sound-part": but for lines); a mutant
# has to fail in the way that the list says. Exit status 77 without spin.

set -eu

model=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${2:-.}/$model
depth=100000
memory_mib=4096

command -v spin >/dev/null || {
	echo "spin is not installed"
	exit 77
}

# A process that can be stopped at any step rules out partial-order reduction.
reduction=
if grep -q provided "$here/$model.pml"; then
	reduction=-DNOREDUCE
fi

# search NAME OPTIMISATION MACRO... - leaves pan's report in $report
search()
{
	name=$1
	optimisation=$2
	shift 2
	mkdir -p "$folder/$name"
	report=$folder/$name/report
	(
		cd "$folder/$name"
		rm -f ./*.trail
		spin -a "$@" "$here/$model.pml"
		${CC:-cc} "$optimisation" -w -DSAFETY $reduction \
			-DMEMLIM=$memory_mib -o pan pan.c
		./pan -m$depth
	) >"$report" 2>&1 || true
}

states()
{
	sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$report"
}

seconds()
{
	sed -n 's/^pan: elapsed time \(.*\) seconds/\1/p' "$report"
}

# What is wrong with a report that should be a clean one; nothing if it is.
complaint()
{
	if ! grep -q 'errors: 0$' "$report"; then
		echo "errors"
	elif grep -Eq 'too small|Search not completed|out of memory' \
		"$report"; then
		echo "the search is not complete"
	elif [ "$1" = sound ] && sed -n '/^unreached/,$p' "$report" |
		grep 'state [0-9]' | grep -qv '"-end-"'; then
		echo "lines that no run reaches"
	fi
}

sound()
{
	wrong=$(complaint "$1")
	if [ -n "$wrong" ]; then
		echo "FAIL $2: $wrong, see $report"
		failures=$((failures + 1))
		return
	fi
	echo "ok   $2: 0 errors, $(states) states, $(seconds) s"
}

caught()
{
	if ! grep -q 'errors: [1-9]' "$report"; then
		echo "FAIL $2: nothing catches it, see $report"
		failures=$((failures + 1))
	elif ! grep -q "^pan:1: $1" "$report"; then
		echo "FAIL $2: caught, but not by \"$1\", see $report"
		failures=$((failures + 1))
	else
		echo "ok   $2: caught by $(grep -o "^pan:1: $1" "$report" |
			cut -c 8-), $(states) states, $(seconds) s"
	fi
}

failures=0
runs=0
while IFS='|' read -r of kind name macros property _; do
	of=$(echo "$of" | tr -d ' \t')
	kind=$(echo "$kind" | tr -d ' \t')
	name=$(echo "$name" | tr -d ' \t')
	property=$(echo "$property" | sed 's/^[ \t]*//; s/[ \t]*$//')
	[ "$of" = "$model" ] || continue
	runs=$((runs + 1))
	# shellcheck disable=SC2086 # the macros are words
	case $kind in
	sound*)
		search "$name" -O2 $macros
		sound "$kind" "$name"
		;;
	mutant)
		# Most fail early: what counts is the compiler's time.
		search "$name" -O0 -D"$name" $macros
		caught "$property" "$name"
		;;
	*)
		echo "FAIL $name: \"$kind\" in mutants.txt"
		failures=$((failures + 1))
		;;
	esac
done <"$here/mutants.txt"

echo "$model: $runs searches, $failures failed"
[ "$runs" -gt 0 ] && [ "$failures" -eq 0 ]
