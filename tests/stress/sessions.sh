#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A struct grows and shrinks COUNT times under load: clients open, use and
# close sessions while fix-session comes and goes, and know what each answer
# must be. Nothing may be wrong, retained or left behind, and the server's
# memory stays as it was.
#
# usage: sessions.sh [--build DIR] [COUNT]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build/demo
count=40

# As in cycles.sh: what heaps and stacks come to use little by little.
memory_noise_kb=512

while [ $# -gt 0 ]; do
	case $1 in
	--build)
		[ $# -ge 2 ] || exit 2
		build=$2
		shift
		;;
	*[!0-9]* | "")
		echo "usage: sessions.sh [--build DIR] [COUNT]" >&2
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
	hotpatch apply "$FIX_SESSION" >"$scenario_dir/applied" 2>&1 ||
		fail "cycle $i: $(cat "$scenario_dir/applied")"
	hotpatch revert fix-session >"$scenario_dir/reverted" 2>&1 ||
		fail "cycle $i: $(cat "$scenario_dir/reverted")"
}

memory_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$server_pid/status"
}

# expect WHAT ACTUAL OPERATOR WANTED
expect() {
	printf '%-44s %s\n' "$1" "$2"
	if ! test "$2" "$3" "$4"; then
		echo "sessions.sh: $1: wanted $3 $4" >&2
		failures=$((failures + 1))
	fi
}

failures=0
warm_up=$(((count + 9) / 10))
scenario_start 4
one_request=$LOAD
LOAD=$SESSION_LOAD
load_start --threads 4
LOAD=$one_request
i=0
while [ "$i" -lt "$count" ]; do
	i=$((i + 1))
	cycle
	[ "$i" -ne "$warm_up" ] || memory_start_kb=$(memory_kb)
done
memory_growth_kb=$(($(memory_kb) - memory_start_kb))
load_finish
left=$(get /sessions)
hotpatch --json status >"$scenario_dir/status"
patches=$(json_number patch_count <"$scenario_dir/status")

expect "cycles" "$count" -gt 0
expect "requests" "$(fact all requests)" -gt 0
expect "  answered by the old code" "$(fact all old)" -gt 0
expect "  answered by the new code" "$(fact all patched)" -gt 0
expect "  refused because the quota was used" "$(fact all limited)" -gt 0
expect "  wrong" "$(fact all wrong)" -eq 0
# Each of the 4 threads begins with 8.
expect "sessions opened" "$(fact all opened)" -gt 32
expect "left at the end" "$left" = \
	"200, versions 0 0: 0 sessions, 0 shadows"
expect "patches still known" "$patches" -eq 0
expect "memory grown by (kB)" "$memory_growth_kb" -le "$memory_noise_kb"
[ "$failures" -eq 0 ]
