#!/bin/sh
# SPDX-License-Identifier: MIT
# A command that is killed while it applies, reverts or waits: the process goes
# on, its transition too, and the next command works. Arguments: the command,
# and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
directory=$(mktemp -d /tmp/hotpatch-killed-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
host_pid=
command_pid=

clean_up() {
	[ -z "$command_pid" ] || kill -KILL "$command_pid" 2>/dev/null || true
	# Closing its input ends the host.
	exec 3>&- || true
	[ -z "$host_pid" ] || wait "$host_pid" || true
	rm -rf "$directory"
}
trap clean_up EXIT
. "$(dirname "$0")/scripts/common.sh"

# Asks until the status shows the text: nobody announces how far another
# command has come.
await_status() {
	tries=0
	until "$command" status >"$output" 2>&1 && grep -q -e "$1" "$output"; do
		tries=$((tries + 1))
		[ "$tries" -lt 2000 ] || fail "the status never shows '$1'"
	done
}

# begin ARGUMENT...: starts a command that will have to wait.
begin() {
	"$command" "$@" >/dev/null 2>&1 </dev/null &
	command_pid=$!
}

kill_it() {
	kill -0 "$command_pid" 2>/dev/null || fail 'the command did not wait'
	kill -KILL "$command_pid"
	wait "$command_pid" 2>/dev/null || true
	command_pid=
}

mkfifo "$directory/to" "$directory/from"
promise=host_starts
"$host" serve <"$directory/to" >"$directory/from" &
host_pid=$!
exec 3>"$directory/to" 4<"$directory/from"
read -r socket <&4
[ -S "$socket" ] || fail 'no socket'

promise=killed_apply_leaves_a_transition_that_ends
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
begin apply "$bundle" --timeout 60
await_status 'applying'
kill_it
[ "$(tell call)" = 42 ] || fail 'the host does not serve'
expect 0 status
has 'applying'
[ "$(tell release)" = release ] || fail 'the host does not release'
expect 0 wait fix-answer --timeout 20
[ "$(tell call)" = 42 ] || fail 'the fix is not active'

promise=killed_revert_leaves_a_transition_that_ends
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
begin revert fix-answer --timeout 60
await_status 'reverting'
kill_it
[ "$(tell call)" = 41 ] || fail 'the host does not serve'
[ "$(tell release)" = release ] || fail 'the host does not release'
expect 0 wait fix-answer --goal unmapped --timeout 20
[ "$(tell call)" = 41 ] || fail 'the original is not back'

promise=killed_wait_changes_nothing
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
expect 0 apply "$bundle" --wait=none
begin wait fix-answer --timeout 60
await_status 'applying'
kill_it
expect 0 revert fix-answer --wait=none
[ "$(tell release)" = release ] || fail 'the host does not release'

promise=the_next_command_works
expect 0 revert --all
expect 0 apply "$bundle" --timeout 20
[ "$(tell call)" = 42 ] || fail 'the fix is not active'
expect 0 revert fix-answer
[ "$(tell call)" = 41 ] || fail 'the original is not back'

# Killed at the first, second, ... of each call by which it deals with the
# process, from before it connects to after it was answered.
promise=killed_at_any_call_leaves_what_the_next_command_completes
killed=0
if strace -o /dev/null true 2>/dev/null; then
	for call in socket connect sendmsg sendto write recvmsg recvfrom read \
		poll openat close; do
		turn=1
		while [ "$turn" -le 3 ]; do
			code=0
			ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null \
				-e trace="$call" \
				-e inject="$call:signal=KILL:when=$turn" \
				"$command" apply "$bundle" --timeout 20 \
				>"$output" 2>&1 </dev/null || code=$?
			[ "$code" -eq 137 ] || break
			killed=$((killed + 1))
			expect 0 apply "$bundle" --timeout 20
			[ "$(tell call)" = 42 ] || fail "after $call $turn"
			expect 0 revert --all
			[ "$(tell call)" = 41 ] || fail "after $call $turn"
			turn=$((turn + 1))
		done
		expect 0 revert --all
	done
	[ "$killed" -ge 12 ] || fail "killed only $killed times"
	echo "killed at $killed calls"
else
	echo "skipped: $promise: strace may not trace here"
fi

echo 'all promises kept'
