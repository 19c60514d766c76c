#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# without.sh SOURCE BUILD WORK CC [NAME...] - builds the torture, or between.c,
# once for each part of the protocol that without.txt names, or for the given
# ones, without that part, and fails if it does not notice. Prints how fast it did.
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
	-DPATIENCE_MS=$((patience * 1000))
	-I"$source_folder/include" -I"$build/include")

library=("$source_folder"/lib/*.c "$source_folder"/lib/observe/*.c
	"$source_folder/lib/arch/$(uname -m)"/*.[cS]
	"$source_folder/lib/control/disabled.c"
	"$source_folder/lib/redirect/disabled.c"
	"$source_folder/lib/signature/disabled.c")
torture=("$source_folder/tests/stress/torture.c" "$here"/*.c)
between=("$source_folder/tests/stress/between.c")
sources=("${library[@]}" "${torture[@]}" "${between[@]}")

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
	"$cc" -rdynamic -Wl,--build-id=0x$build_id -o "$@" "${check[@]}" \
		-lpthread -ldl
}

bundles()
{
	local bundle
	mkdir -p "$work/bundles"
	for bundle in "$source_folder"/tests/bundles/{torture,between}/*.c; do
		"$cc" -O2 -fPIC -shared -fvisibility=hidden -Wl,-z,now \
			-Wl,--build-id=sha1 -I"$source_folder/include" \
			-I"$build/include" '-DHOTPATCH_TARGET_MODULE=""' \
			-DHOTPATCH_TARGET_BUILD_ID="\"$build_id\"" \
			-o "$work/bundles/$(basename "$bundle" .c).so" \
			"$bundle"
	done
}

# objects NAME BASE SOURCE...: those of the variant, else those of the whole
objects()
{
	local name=$1 base=$2 source object
	shift 2
	for source in "$@"; do
		object=$(object_of "$source")
		if [ -e "$work/$name/$object" ]; then
			echo "$work/$name/$object"
		else
			echo "$work/$base/$object"
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

# timed COMMAND...: what it prints is in the log, its exit status in $status,
# and $took seconds
timed()
{
	local begin
	begin=$(date +%s%N)
	status=0
	timeout -s KILL $((limit + 60)) "$@" >"$work/log" 2>&1 || status=$?
	took=$((($(date +%s%N) - begin) / 10000000))
	took=$((took / 100)).$(printf '%02d' $((took % 100)))
}

# attempt PROGRAM SEED FOCUS READERS: what it said, in $said
attempt()
{
	timed "$1" --seconds "$limit" --patience "$patience" --seed "$2" \
		${3:+--focus "$3"} ${4:+--only "$4"}
	said=$(grep -E '^(mixture|stale|meeting|crash|lost wake-up|hang)' \
		"$work/log" | head -1 || true)
	case $status in
	0) ;;
	1) [ -n "$said" ] || said=$(tail -1 "$work/log") ;;
	137) said="hang, killed" ;;
	esac
}

# build NAME FENCED SOURCE...: $work/NAME/program, of the library without NAME
build()
{
	local name=$1 fenced=$2 variant=() base=plain
	shift 2
	if [ -n "$fenced" ]; then
		variant=(-DHP_FENCED=1)
		base=fenced
	fi
	whole "$base" "${variant[@]}"
	rm -rf "${work:?}/$name"
	{ grep -l "(${name}[,)]" "${library[@]}" "$@" "$here/torture.h" \
		"$here/header.h" || true; } |
		sed "s,^$here/.*\.h$,$here/readers.c\n$here/fibers.c," | sort -u |
		compile "$work/$name" "${variant[@]}" -DHP_WITHOUT="$name"
	mkdir -p "$work/$name"
	# shellcheck disable=SC2046 # a list of files
	link "$work/$name/program" \
		$(objects "$name" "$base" "${library[@]}" "$@")
}

try()
{
	local name=$1 fenced=$2 focus=$3 readers=$4 seed=$5 expected=$6
	local limit=$limit
	[ "$expected" != nothing ] || limit=5
	build "$name" "$fenced" "${torture[@]}"
	attempt "$work/$name/program" "$seed" "$focus" "$readers"
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

# schedule NAME FENCED "between [TEST]": that test fails, others may; without
# one, none does
schedule()
{
	local name=$1 fenced=$2 test=${3#between}
	test=${test# }
	build "$name" "$fenced" "${between[@]}"
	timed "$work/$name/program"
	said=$(sed -n 's/^[^ ]*\.[ch]:[0-9]*:[FE]:[^:]*:\([^:]*\):.*/\1/p' \
		"$work/log" | tr '\n' ' ')
	if [ -z "$test$said" ] && [ "$status" = 0 ] ||
		[[ -n $test && " $said" == *" $test "* ]]; then
		echo "ok   $name: after $took s: ${test:-every schedule is kept}"
	else
		fail "$name: failed in $took s: ${said:-nothing}, not" \
			"${test:-nothing}; $(tail -1 "$work/log")"
	fi
}

[ "$(uname -m)" = x86_64 ] || exit 77 # where the steps of dispatch are
read -r -a check <<<"$(pkg-config --cflags --libs check)"
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
	between*) schedule "$name" "${fenced// /}" "$expected" ;;
	*) try "$name" "${fenced// /}" "${focus// /}" "${readers// /}" \
		"${seed// /}" "$expected" ;;
	esac
done <"$here/without.txt"
echo "$count parts taken out, $failures not noticed as they should be"
[ "$count" -gt 0 ] && [ "$failures" -eq 0 ]
