#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# without.sh SOURCE BUILD WORK CC [NAME...] - builds the torture once for each
# part of the protocol that without.txt names, or for the given ones, without
# that part, and fails if the torture does not notice. Prints how fast it did.
# SECONDS_EACH in the environment: how long each may take, 60 unless set. Exit
# status 77 on other machines than x86-64.

set -eu

source_folder=$1
build=$2
work=$3
cc=$4
shift 4
wanted=" $* "
here=$source_folder/tests/stress/torture
limit=${SECONDS_EACH:-60}
patience=5 # without any progress; the whole library gets along with it, too
build_id=746f72747572650a
flags=(-std=c17 -D_GNU_SOURCE -DHP_TORTURE -O2 -g -fPIC
	-I"$source_folder/include" -I"$build/include")

sources=("$source_folder"/lib/*.c "$source_folder"/lib/observe/*.c
	"$source_folder/lib/arch/$(uname -m)"/*.[cS]
	"$source_folder/lib/control/disabled.c"
	"$source_folder/lib/redirect/disabled.c"
	"$source_folder/lib/signature/disabled.c"
	"$source_folder/tests/stress/torture.c" "$here"/*.c)

fail()
{
	echo "FAIL $*"
	failures=$((failures + 1))
}

object_of()
{
	echo "$1" | sed "s,^$source_folder/,,; s,/,_,g; s,$,.o,"
}

# compile FOLDER FLAGS...: the sources on standard input
compile()
{
	local folder=$1 visibility source
	shift
	mkdir -p "$folder"
	while read -r source; do
		visibility=hidden
		[[ $source == */tests/* ]] && visibility=default
		echo -fvisibility=$visibility "$source" \
			-o "$folder/$(object_of "$source")"
	done | xargs -r -P "$(nproc)" -L 1 "$cc" "${flags[@]}" \
		-DHOTPATCH_TEST_BUNDLES="\"$work/bundles\"" "$@" -c
}

link()
{
	"$cc" -rdynamic -Wl,--build-id=0x$build_id -o "$@" -lpthread -ldl
}

bundles()
{
	local bundle
	mkdir -p "$work/bundles"
	for bundle in "$source_folder"/tests/bundles/torture/*.c; do
		"$cc" -O2 -fPIC -shared -fvisibility=hidden -Wl,-z,now \
			-Wl,--build-id=sha1 -I"$source_folder/include" \
			-I"$build/include" '-DHOTPATCH_TARGET_MODULE=""' \
			-DHOTPATCH_TARGET_BUILD_ID="\"$build_id\"" \
			-o "$work/bundles/$(basename "$bundle" .c).so" \
			"$bundle"
	done
}

# objects NAME BASE: those of the variant, else those of the whole library
objects()
{
	local source object
	for source in "${sources[@]}"; do
		object=$(object_of "$source")
		if [ -e "$work/$1/$object" ]; then
			echo "$work/$1/$object"
		else
			echo "$work/$2/$object"
		fi
	done
}

# whole BASE FLAGS...: the objects that variants share, once
whole()
{
	local base=$1
	shift
	[ -d "$work/$base" ] ||
		printf '%s\n' "${sources[@]}" | compile "$work/$base" "$@"
}

# attempt PROGRAM SEED FOCUS READERS: what it said, in $said, and $took seconds
attempt()
{
	local begin status=0
	begin=$(date +%s%N)
	timeout -s KILL $((limit + 60)) "$1" --seconds "$limit" \
		--patience "$patience" --seed "$2" ${3:+--focus "$3"} \
		${4:+--only "$4"} >"$work/log" 2>&1 || status=$?
	took=$((($(date +%s%N) - begin) / 10000000))
	took=$((took / 100)).$(printf '%02d' $((took % 100)))
	said=$(grep -E '^(mixture|stale|meeting|crash|lost wake-up|hang)' \
		"$work/log" | head -1 || true)
	case $status in
	0) ;;
	1) [ -n "$said" ] || said=$(tail -1 "$work/log") ;;
	137) said="hang, killed" ;;
	esac
}

try()
{
	local name=$1 fenced=$2 focus=$3 readers=$4 seed=$5 expected=$6
	local variant=() base=plain limit=$limit
	[ "$expected" != nothing ] || limit=5
	if [ -n "$fenced" ]; then
		variant=(-DHP_FENCED=1)
		base=fenced
	fi
	whole "$base" "${variant[@]}"
	rm -rf "${work:?}/$name"
	{ grep -l "(${name}[,)]" "${sources[@]}" "$here/torture.h" "$here/header.h" ||
		true; } |
		sed "s,^$here/.*\.h$,$here/readers.c\n$here/fibers.c," | sort -u |
		compile "$work/$name" "${variant[@]}" -DHP_WITHOUT="$name"
	mkdir -p "$work/$name"
	# shellcheck disable=SC2046 # a list of files
	link "$work/$name/torture" $(objects "$name" "$base")
	attempt "$work/$name/torture" "$seed" "$focus" "$readers"
	if [ "$expected" = nothing ] && [ -z "$said" ]; then
		echo "ok   whole, ${readers:-all}${fenced:+, fenced}: clean, $took s"
	elif [ -z "$said" ]; then
		fail "$name: nothing noticed in $took s: $(tail -1 "$work/log")"
	elif [[ ",$expected," != *",${said%%[:,(]*},"* ]]; then
		fail "$name: $said, not $expected"
	else
		echo "ok   $name: after $took s, seed $seed: $said"
	fi
}

# refer NAME "model MUTANT": what shows it instead is there
refer()
{
	if grep -q "| mutant | ${2#model } |" \
		"$source_folder/tests/model/mutants.txt"; then
		echo "ok   $1: left to $2"
	else
		fail "$1: there is no $2"
	fi
}

[ "$(uname -m)" = x86_64 ] || exit 77 # where the steps of dispatch are
rm -rf "${work:?}/plain" "$work/fenced"
mkdir -p "$work"
bundles
failures=0
count=0
while IFS='|' read -r name fenced focus readers seed expected _; do
	name=${name// /}
	[[ -z $name || $name == \#* ]] && continue
	[[ $wanted == "  " || $wanted == *" $name "* ]] || continue
	count=$((count + 1))
	expected=$(echo "$expected" | sed 's/^ *//; s/ *$//')
	case $expected in
	model*) refer "$name" "$expected" ;;
	*) try "$name" "${fenced// /}" "${focus// /}" "${readers// /}" \
		"${seed// /}" "$expected" ;;
	esac
done <"$here/without.txt"
echo "$count parts taken out, $failures not noticed as they should be"
[ "$count" -gt 0 ] && [ "$failures" -eq 0 ]
