#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A patch on probation, as the command sees it: what passes, what is taken back
# and why, and what becomes of it when the command ends early. Arguments: the
# command, and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d /tmp/hotpatch-health-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
program=test_integration_command_host
command_pid=

clean_up() {
	[ -z "$command_pid" ] || kill -KILL "$command_pid" 2>/dev/null || true
	end_hosts
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT

complains_of() {
	grep -q -e "$1" "$errors" || fail "no '$1' in the errors"
}

# obey PLACE WORD
obey() {
	[ "$(tell_host "$1" "$2")" = "$2" ] || fail "the host is not $2"
}

# await COMMAND...: tries for ten seconds.
await() {
	local i

	for ((i = 0; i < 1000; i++)); do
		! "$@" || return 0
		sleep 0.01
	done
	fail "never came: $*"
}

is_active() {
	"$command" --pid "${host_pids[0]}" status 2>&1 | grep -q '^fix-answer *active'
}

has_ended() {
	! kill -0 "$1" 2>/dev/null
}

# begin ARGUMENT...: the command, in the background.
begin() {
	"$command" "$@" >"$output" 2>"$errors" </dev/null &
	command_pid=$!
}

# ends CODE: it does so.
ends() {
	local code=0

	wait "$command_pid" || code=$?
	command_pid=
	[ "$code" -eq "$1" ] || fail "exit $code, not $1"
}

promise=limits_and_goals_that_make_no_sense_are_usage_errors
expect 2 apply "$bundle" --health-errors 5
complains 'needs a --probation'
expect 2 apply "$bundle" --verify true --wait=none
complains 'cannot --verify'
expect 2 apply "$bundle" --probation 1 --health-latency 1.5
complains 'is not a number'
expect 2 revert fix-answer --wait=healthy
expect 2 revert fix-answer --probation 1

start_host

promise=patch_that_stays_well_is_active_when_the_command_returns
expect 0 apply "$bundle" --probation 0.2 --health-errors 10 --health-latency 300 \
	--health-tail 300
has 'fix-answer is active'
all_answer 42
expect 0 wait fix-answer --wait=healthy
expect 0 apply "$bundle" --probation 0.2
has 'already active'
expect 0 revert fix-answer

promise=process_that_is_not_well_takes_it_back_and_says_why
obey 0 sick
expect 6 apply "$bundle" --probation 60
complains 'E_UNHEALTHY: fix-answer was taken back: the backend is gone'
all_answer 41
obey 0 well

promise=who_does_not_wait_leaves_the_rest_to_the_process
expect 0 apply "$bundle" --probation 0.3 --wait=active
has 'fix-answer is active'
expect 0 wait fix-answer --wait=healthy
expect 0 revert fix-answer

promise=operators_command_is_told_which_process_and_patch
# shellcheck disable=SC2016 # the command's own shell
expect 0 apply "$bundle" --verify '[ "$HOTPATCH_PID" = '"${host_pids[0]}"' ] &&
	[ -S "$HOTPATCH_SOCKET" ] && [ "$HOTPATCH_PATCH" = fix-answer ]'
all_answer 42
expect 0 revert fix-answer

promise=command_that_fails_takes_it_back
expect 6 apply "$bundle" --verify 'exit 3'
complains "taken back: 'exit 3' exited with 3"
all_answer 41
expect 6 apply "$bundle" --verify 'kill -9 $$'
complains 'was killed by signal 9'
all_answer 41
expect 6 apply "$bundle" --verify /nonexistent/check
complains_of 'exited with 127'
all_answer 41
expect 0 log
has "unhealthy.*'exit 3' exited with 3"

promise=command_runs_again_while_probation_lasts
expect 6 apply "$bundle" --probation 60 \
	--verify "echo >>$directory/runs; [ \$(wc -l <$directory/runs) -lt 2 ]"
[ "$(wc -l <"$directory/runs")" -eq 2 ] || fail 'not two runs'
all_answer 41

promise=command_that_hangs_is_ended_with_all_it_started
expect 6 apply "$bundle" --timeout 0.3 \
	--verify "sh -c 'echo \$\$ >$directory/pid; exec sleep 60' & wait"
complains 'did not end in 1 s'
await has_ended "$(cat "$directory/pid")"
all_answer 41

promise=what_it_prints_does_not_spoil_the_result
expect 6 --json apply "$bundle" --verify 'printf "noi%s\n" se; exit 1'
python3 -m json.tool <"$output" >/dev/null || fail 'no JSON'
has E_UNHEALTHY
lacks noise
grep -q noise "$errors" || fail 'no noise'

promise=interrupted_it_leaves_the_patch_on_probation
begin apply "$bundle" --probation 60 --verify "echo \$\$ >$directory/pid; exec sleep 60"
await is_active
await test -s "$directory/pid"
kill -TERM "$command_pid"
ends 1
complains 'E_INTERRUPTED: Interrupted: fix-answer stays active, and its probation'
await has_ended "$(cat "$directory/pid")"
is_active || fail 'it is not active'
obey 0 sick
expect 6 wait fix-answer --wait=healthy
all_answer 41
obey 0 well

promise=killed_it_leaves_the_patch_on_probation
rm "$directory/pid"
begin apply "$bundle" --probation 60 --verify "echo \$\$ >$directory/pid; exec sleep 60"
await test -s "$directory/pid"
kill -KILL "$command_pid"
ends 137
await has_ended "$(cat "$directory/pid")"
is_active || fail 'it is not active'
obey 0 sick
expect 6 wait fix-answer --wait=healthy
obey 0 well
all_answer 41

start_host
start_host

promise=all_are_well_or_none_has_it
expect 0 --program "$program" apply "$bundle" --probation 0.2 --verify true
all_answer 42
expect 0 --program "$program" revert fix-answer
obey 1 sick
expect 6 --program "$program" apply "$bundle" --probation 60
complains_of "${host_pids[1]}: fix-answer was taken back: the backend is gone"
[ "$(grep -c undone "$output")" -eq 3 ] || fail 'not three are undone'
all_answer 41
obey 1 well

promise=command_that_fails_for_one_takes_it_back_in_all
# shellcheck disable=SC2016 # the command's own shell
expect 6 --program "$program" apply "$bundle" \
	--verify '[ "$HOTPATCH_PID" != '"${host_pids[2]}"' ]'
complains_of "${host_pids[2]}: .* exited with 1"
[ "$(grep -c undone "$output")" -eq 3 ] || fail 'not three are undone'
all_answer 41

promise=interrupted_it_leaves_all_active
begin --program "$program" apply "$bundle" --verify 'sleep 60'
await is_active
kill -TERM "$command_pid"
ends 1
complains_of 'E_INTERRUPTED: .*stays active'
[ "$(grep -c ' active ' "$output")" -eq 3 ] || fail 'not three are active'
all_answer 42

echo 'all promises kept'
