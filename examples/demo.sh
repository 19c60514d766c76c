#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Patches a server under load, on a fresh Debian 12 as well: installs what is
# missing, builds, starts examples/server on the loopback device, loads it,
# applies fix-two and reverts it again and again, and reports what the clients
# noticed. Exits with 0 only if no request failed, no answer was mixed, and the
# flaw was gone and came back with the patch.
#
# usage: demo.sh [--json] [--build DIR]
#
# --json prints one JSON object instead of the report; --build takes an
# existing build tree instead of making build/demo.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
json=
build=
threads=4
connections=32
rate=10000
before_s=3
during_s=5
# Between two cycles, so that the commands leave the processors to the server.
pause_s=0.05
after_s=2

while [ $# -gt 0 ]; do
	case $1 in
	--json) json=yes ;;
	--build)
		[ $# -ge 2 ] || exit 2
		build=$2
		shift
		;;
	*)
		echo "usage: demo.sh [--json] [--build DIR]" >&2
		exit 2
		;;
	esac
	shift
done

say() {
	[ -n "$json" ] || echo "$*"
}

# Runs a step of the preparation and shows its words only if it fails.
quietly() {
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		exit 1
	fi
	rm -f "$log"
}

prepare() {
	build=$root/build/demo
	say "Installing what is missing ..."
	quietly "$root/tests/install-packages.sh" gcc libc6-dev binutils \
		cmake ninja-build pkg-config libjansson-dev libsodium-dev \
		libmicrohttpd-dev
	say "Building ..."
	cd "$root"
	quietly cmake --preset release -B "$build" -DHOTPATCH_TESTS=OFF \
		-DHOTPATCH_SEAL=OFF
	quietly cmake --build "$build" --target hotpatch_examples
}

[ -n "$build" ] || prepare
# shellcheck source=/dev/null
. "$build/examples/paths.sh"
# shellcheck source=SCRIPTDIR/server/scenario.sh
. "$root/examples/server/scenario.sh"

leaks() {
	get /item/2 --range 0-99 | grep -q private
}

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# The one number in the middle of those in file $1, as milliseconds.
median_ms() {
	sort -n "$1" | awk '{ us[NR] = $1 }
		END { printf "%.3f", us[int((NR + 1) / 2)] / 1000 }'
}

longest_ms() {
	sort -n "$1" | awk 'END { printf "%.3f", $1 / 1000 }'
}

apply() {
	hotpatch --json apply "$FIX_TWO" >"$scenario_dir/applied" ||
		fail "apply: $(cat "$scenario_dir/applied")"
	json_number open_us <"$scenario_dir/applied" >>"$scenario_dir/open"
	json_number drain_us <"$scenario_dir/applied" >>"$scenario_dir/drain"
}

revert() {
	hotpatch --json revert fix-two >"$scenario_dir/reverted" ||
		fail "revert: $(cat "$scenario_dir/reverted")"
	json_number unmap_us <"$scenario_dir/reverted" >>"$scenario_dir/unmap"
}

# Asks for the status as often as the next phase changes something, so that the
# two phases differ by the patching and not by the commands.
look() {
	hotpatch --json status >"$scenario_dir/seen" ||
		fail "status: $(cat "$scenario_dir/seen")"
	json_number generation <"$scenario_dir/seen" >/dev/null
	json_number tasks <"$scenario_dir/seen" >/dev/null
}

# The time from new to drained: loading the bundle, then moving the threads.
active_times() {
	paste "$scenario_dir/open" "$scenario_dir/drain" |
		awk '{ print $1 + $2 }' >"$scenario_dir/active"
}

say "Serving with $threads threads, $connections connections," \
	"$rate requests a second ..."
scenario_start "$threads"
load_start --threads 2 --connections $((connections / 2)) \
	--rate $((rate / 2)) --slow-every 1000 --slow-us 500
leaked_before=no
leaked_patched=no
leaked_after=no
flawed=$(get /item/2 --range 0-99)
! leaks || leaked_before=yes
phase before
end_ms=$(($(now_ms) + before_s * 1000))
while [ "$(now_ms)" -lt "$end_ms" ]; do
	look
	look
	sleep "$pause_s"
done

say "Applying and reverting fix-two ..."
phase during
end_ms=$(($(now_ms) + during_s * 1000))
apply
fixed=$(get /item/2 --range 0-99)
! leaks || leaked_patched=yes
revert
! leaks || leaked_after=yes
cycles=1
while [ "$(now_ms)" -lt "$end_ms" ]; do
	sleep "$pause_s"
	apply
	revert
	cycles=$((cycles + 1))
done
phase after
sleep "$after_s"
load_finish
active_times

requests=$(fact all requests)
failed=$(fact all failed)
mixed=$(fact all mixed)
verdict=false
if [ "$requests" -gt 0 ] && [ "$failed" -eq 0 ] && [ "$mixed" -eq 0 ] &&
	[ "$leaked_before$leaked_patched$leaked_after" = yesnoyes ]; then
	verdict=true
fi

# phase_json NAME
phase_json() {
	printf '"%s":{"requests":%s,"by_old":%s,"by_new":%s,"failed":%s,' \
		"$1" "$(fact "$1" requests)" "$(fact "$1" old)" \
		"$(fact "$1" patched)" "$(fact "$1" failed)"
	printf '"mixed":%s,"p50_us":%s,"p99_us":%s,"p999_us":%s,"max_us":%s}' \
		"$(fact "$1" mixed)" "$(fact "$1" p50_us)" \
		"$(fact "$1" p99_us)" "$(fact "$1" p999_us)" \
		"$(fact "$1" max_us)"
}

times_json() {
	printf '"%s":{"median":%s,"max":%s}' "$1" \
		"$(median_ms "$scenario_dir/$2")" \
		"$(longest_ms "$scenario_dir/$2")"
}

report_json() {
	printf '{"ok":%s,"cycles":%s,"threads":%s,"connections":%s,' \
		"$verdict" "$cycles" "$threads" "$connections"
	printf '"rate":%s,' "$rate"
	printf '"requests":%s,"failed":%s,"mixed":%s,' \
		"$requests" "$failed" "$mixed"
	printf '"leaked":{"before":"%s","patched":"%s","after":"%s"},' \
		"$leaked_before" "$leaked_patched" "$leaked_after"
	printf '"phases":{%s,%s,%s},' "$(phase_json before)" \
		"$(phase_json during)" "$(phase_json after)"
	printf '"milliseconds":{%s,%s,%s}}\n' "$(times_json active active)" \
		"$(times_json drained drain)" "$(times_json unmapped unmap)"
}

# phase_row NAME
phase_row() {
	printf '%-8s %10s %10s %10s %7s %6s %8s %8s %8s\n' "$1" \
		"$(fact "$1" requests)" "$(fact "$1" old)" \
		"$(fact "$1" patched)" "$(fact "$1" failed)" \
		"$(fact "$1" mixed)" "$(fact "$1" p50_us)" \
		"$(fact "$1" p99_us)" "$(fact "$1" p999_us)"
}

times_row() {
	printf '%-44s %8s %8s\n' "$1" "$(median_ms "$scenario_dir/$2")" \
		"$(longest_ms "$scenario_dir/$2")"
}

report() {
	printf '\nunpatched: %s\npatched:   %s\n\n' "$flawed" "$fixed"
	printf '%-8s %10s %10s %10s %7s %6s %8s %8s %8s\n' phase requests \
		"by old" "by new" failed mixed p50/us p99/us p99.9/us
	phase_row before
	phase_row during
	phase_row after
	printf '\n%-44s %8s %8s\n' "over $cycles applies and reverts, in ms" \
		median longest
	times_row "apply: loaded, drained and active" active
	times_row "  of which until drained" drain
	times_row "revert: drained and unmapped" unmap
	printf '\n%s requests, %s failed, %s mixed: ' \
		"$requests" "$failed" "$mixed"
	if [ "$verdict" = true ]; then echo "as promised"; else
		echo "NOT as promised"
	fi
}

if [ -n "$json" ]; then report_json; else report; fi
[ "$verdict" = true ]
