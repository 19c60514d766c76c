#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Applies and reverts a patch of two functions COUNT times while a server is
# under full load, and checks what must hold: no request failed, no request saw
# both versions, no answer was lost, nothing was retained, and the process's
# memory, mappings and descriptors stay as they were.
#
# At the end comes the control experiment: the same patch, applied call by call
# instead of section by section, must produce mixed answers, else the load
# could not have seen any.
#
# usage: cycles.sh [--build DIR] [COUNT]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build/demo
count=50

# The pages of heaps and stacks come into use little by little under load,
# patches or not. In the long run of 1,000 cycles this leaves room for half a
# kilobyte a cycle.
memory_noise_kb=512

while [ $# -gt 0 ]; do
	case $1 in
	--build)
		[ $# -ge 2 ] || exit 2
		build=$2
		shift
		;;
	*[!0-9]* | "")
		echo "usage: cycles.sh [--build DIR] [COUNT]" >&2
		exit 2
		;;
	*) count=$1 ;;
	esac
	shift
done

# shellcheck source=/dev/null
. "$build/examples/paths.sh"
# shellcheck source=SCRIPTDIR/../../examples/server/scenario.sh
. "$root/examples/server/scenario.sh"

cycle() {
	hotpatch apply "$1" >"$scenario_dir/applied" 2>&1 ||
		fail "cycle $i: $(cat "$scenario_dir/applied")"
	hotpatch revert "$2" >"$scenario_dir/reverted" 2>&1 ||
		fail "cycle $i: $(cat "$scenario_dir/reverted")"
}

memory_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$server_pid/status"
}

mappings() {
	grep -c . "/proc/$server_pid/maps"
}

descriptors() {
	# A name that goes away meanwhile is none of ours.
	find "/proc/$server_pid/fd" -mindepth 1 2>/dev/null | wc -l
}

# Waits until the server has closed the last command's connection, which it may
# do after the command has ended. Gives up after a second; the check then fails.
descriptors_settle() {
	tries=100
	while [ "$(descriptors)" -gt "$1" ] && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.01
	done
}

# expect WHAT ACTUAL OPERATOR WANTED
expect() {
	printf '%-44s %s\n' "$1" "$2"
	if ! test "$2" "$3" "$4"; then
		echo "cycles.sh: $1: wanted $3 $4" >&2
		failures=$((failures + 1))
	fi
}

load_under_cycles() {
	load_start --threads 2 --connections 16 --slow-every 100 --slow-us 1000
	phase cycles
}

failures=0
warm_up=$(((count + 9) / 10))
scenario_start 4

load_under_cycles
i=0
while [ "$i" -lt "$count" ]; do
	i=$((i + 1))
	cycle "$FIX_TWO" fix-two
	if [ "$i" -eq "$warm_up" ]; then
		memory_start_kb=$(memory_kb)
		mappings_start=$(mappings)
		descriptors_start=$(descriptors)
	fi
done
memory_growth_kb=$(($(memory_kb) - memory_start_kb))
mappings_growth=$(($(mappings) - mappings_start))
descriptors_settle "$descriptors_start"
descriptors_growth=$(($(descriptors) - descriptors_start))
hotpatch --json status >"$scenario_dir/status"
patches=$(json_number patch_count <"$scenario_dir/status")
retained=$(tr -d ' \n' <"$scenario_dir/status" |
	sed -n 's/.*"retained":\[\([^]]*\)\].*/\1/p')
load_finish
answered=$(get /stats | sed -n 's/.*answered \([0-9]*\)$/\1/p')

expect "cycles" "$count" -gt 0
expect "requests" "$(fact all requests)" -gt 0
expect "  answered by the old code" "$(fact all old)" -gt 0
expect "  answered by the new code" "$(fact all patched)" -gt 0
expect "  failed" "$(fact all failed)" -eq 0
expect "  mixed" "$(fact all mixed)" -eq 0
# The load reads each of the 8 items once before it begins.
expect "answers that the server counted" "$answered" -eq \
	$(($(fact all requests) + 8))
expect "patches still known" "$patches" -eq 0
expect "patches retained" "[$retained]" = "[]"
expect "memory grown by (kB)" "$memory_growth_kb" -le "$memory_noise_kb"
expect "mappings grown by" "$mappings_growth" -le 1
expect "descriptors grown by" "$descriptors_growth" -le 0

load_under_cycles
i=0
while [ "$i" -lt 50 ]; do
	i=$((i + 1))
	cycle "$FIX_IMMEDIATE" fix-immediate
done
load_finish
expect "mixed in the control experiment" "$(fact all mixed)" -gt 0
[ "$failures" -eq 0 ]
