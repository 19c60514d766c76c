#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A process that is killed at the first, second, ... of each call by which it
# applies what is desired, or records it, and is started again: what is desired,
# active and in quarantine goes together, and nothing half done is left.
# Arguments: the command, and the folder in which the tests were built.
# HOTPATCH_TEST_TURNS: how many of each call; 4 by default.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_desired_host
one=$2/bundles/integration-desired_host/one.so
two=$2/bundles/integration-desired_host/two.so
turns=${HOTPATCH_TEST_TURNS:-4}
program=${host##*/}
directory=$(mktemp -d /tmp/hotpatch-killed-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
store=$directory/store
host_pid=
input=
killed=0

clean_up() {
	stop
	rm -rf "$directory"
}
. "$(dirname "$0")/scripts/common.sh"
. "$(dirname "$0")/scripts/restart.sh"
trap clean_up EXIT

if ! strace -f -o /dev/null true 2>/dev/null; then
	echo 'strace may not trace here'
	exit 77
fi

# What a process says that starts now goes together with all that can be seen.
check() {
	local names verified=0

	through=()
	# shellcheck disable=SC2119 # it has no keys
	start
	names=$(tr ' ' '\n' <<<"$outcomes" | grep -c = || true)
	case $outcomes in
	*fix-one=OK*fix-two=OK*) [ "$(call)" = '42 43' ] ;;
	*fix-one=OK*) [ "$(call)" = '42 0' ] ;;
	*fix-two=OK*) [ "$(call)" = '0 43' ] ;;
	*) [ "$(call)" = '0 0' ] ;;
	esac || fail "$where: $outcomes, but $(call)"
	case $outcomes in
	*E_QUARANTINED*E_DIVERGED)
		verified=1
		expect 0 status
		has 'ended during probation'
		;;
	*E_DIVERGED | E_[!A]*) fail "$where: $outcomes" ;;
	esac
	expect "$verified" verify
	# shellcheck disable=SC2012 # names without surprises
	[ "$(ls "$store/bundles" 2>/dev/null | wc -l)" -eq "$names" ] ||
		fail "$where: $outcomes, but $(ls "$store/bundles")"
	[ -z "$(find "$store" -name '*.next' -o -name '*part*' \
		-o -name probation)" ] || fail "$where: $(ls -R "$store")"
}

# Ends it, and takes everything back that is recorded.
reset() {
	stop
	rm -f "$store/quarantine"
	expect 0 disable --directory "$store" --program "$program" --all-patches
}

# kill_at CALL TURN: the next process dies at that call of its.
kill_at() {
	where="$1 $2"
	through=(env ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null
		-e "trace=$1" -e "inject=$1:signal=KILL:when=$2")
}

# True if it was killed, and is buried; false if it serves.
has_died() {
	if read -r outcomes <&"$answers" && read -r socket <&"$answers"; then
		return 1
	fi
	stop
	killed=$((killed + 1))
}

promise=killed_while_it_converges
mkdir -m 700 "$store"
for call in flock fcntl mkdirat fsync linkat membarrier unlinkat; do
	turn=1
	while [ "$turn" -le "$turns" ]; do
		for bundle in "$one" "$two"; do
			expect 0 enable --directory "$store" \
				--program "$program" "$bundle"
		done
		kill_at "$call" "$turn"
		begin_start
		has_died || break
		check
		[ "$(grep -o fix- <<<"$outcomes" | wc -l)" -eq 2 ] ||
			fail "$where: $outcomes"
		reset
		turn=$((turn + 1))
	done
	reset
done
[ "$killed" -ge 10 ] || fail "killed only $killed times"

# try ARGUMENT...: the process dies while it does what the command asks for.
try() {
	local code=0

	begin_start
	if has_died; then
		return
	fi
	timeout 60 "$command" "$@" >"$output" 2>"$errors" </dev/null || code=$?
	[ "$code" -eq 0 ] || killed=$((killed + 1))
	stop
	return "$code"
}

promise=killed_while_it_applies_and_records
first=$killed
for call in fsync renameat linkat unlinkat membarrier; do
	turn=1
	while [ "$turn" -le "$turns" ]; do
		kill_at "$call" "$turn"
		! try apply --keep "$one" || break
		check
		reset
		turn=$((turn + 1))
	done
	reset
done
[ "$killed" -ge $((first + 5)) ] || fail "killed only $killed times"

promise=killed_while_it_records
for call in fsync renameat; do
	for turn in 1 2 3; do
		kill_at "$call" "$turn"
		try enable "$one" || true
		check
		reset
	done
done

promise=killed_while_it_forgets
for call in renameat unlinkat; do
	for turn in 1 2; do
		expect 0 enable --directory "$store" --program "$program" "$one"
		kill_at "$call" "$turn"
		try disable fix-one || true
		check
		reset
	done
done

echo "killed $killed times; all promises kept"
