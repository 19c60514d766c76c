#!/bin/sh
# SPDX-License-Identifier: MIT
# What the command does at a terminal and nowhere else: colours and progress;
# and how long --wait waits. Arguments: the command, and the folder in which
# the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$(realpath "$1")
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
export TERM=xterm
unset NO_COLOR
. "$(dirname "$0")/scripts/host.sh"

# at_terminal CODE WORDS...: a line for the shell, at a terminal of its own.
at_terminal() {
	wanted=$1
	shift
	code=0
	script -qec "$*" /dev/null </dev/null >"$output" 2>"$errors" || code=$?
	[ "$code" -eq "$wanted" ] || fail "exit $code, not $wanted, of: $*"
}

escape=$(printf '\033')
green="$escape\[32m"
erase="$escape\[K"

promise=states_have_colours_at_a_terminal
expect 0 apply "$bundle"
at_terminal 0 "$command" status
has "${green}active"

promise=colours_can_be_refused
at_terminal 0 NO_COLOR=1 "$command" status
has active
lacks "$escape"
at_terminal 0 TERM=dumb "$command" status
has active
lacks "$escape"
at_terminal 0 env -u TERM "$command" status
has active
lacks "$escape"

promise=empty_refusal_is_none
at_terminal 0 NO_COLOR= "$command" status
has "${green}active"

promise=colours_are_for_terminals
expect 0 status
has active
lacks "$escape"
at_terminal 0 "$command status | cat"
has active
lacks "$escape"

promise=json_has_no_colours
at_terminal 0 "$command" --json status
has '"active"'
lacks "$escape"
expect 0 revert --all

promise=progress_is_shown_at_a_terminal
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
at_terminal 5 "$command" apply "$bundle" --timeout 0.4
has "${erase}draining: 1 of 1 tasks left, holder"
has "${erase}hotpatch: E_STALLED"

promise=progress_is_beside_the_output
at_terminal 0 "$command apply $bundle --timeout 0.4 | sed s/^/out/"
has "${erase}draining: 1 of 1 tasks left, holder"
lacks 'outdraining'

promise=progress_is_for_terminals
at_terminal 0 "$command apply $bundle --timeout 0.4 2>&1 | sed s/^/out/"
has outhotpatch
lacks draining
lacks "$escape"

promise=progress_needs_a_terminal_that_can_erase
at_terminal 5 TERM=dumb "$command" apply "$bundle" --timeout 0.4
has E_STALLED
lacks draining
lacks "$escape"

promise=progress_needs_no_colours
at_terminal 5 NO_COLOR=1 "$command" apply "$bundle" --timeout 0.4
has "${erase}draining: 1 of 1 tasks left, holder"
lacks "${escape}\[[0-9]*m"

promise=waiting_for_nothing_ends_before_all_have_moved
expect 0 apply "$bundle" --wait=none
has 'fix-answer is applying'

promise=waiting_for_a_goal_ends_when_it_is_reached
for goal in active drained; do
	expect 5 wait fix-answer "--wait=$goal" --timeout 0.1
	complains E_TIMEOUT
done
[ "$(tell release)" = release ] || fail 'the host does not release'
for goal in active drained; do
	expect 0 wait fix-answer "--wait=$goal"
	has 'fix-answer is active'
	expect 0 revert --all
	expect 0 apply "$bundle" "--wait=$goal"
	has 'fix-answer is active'
done
expect 0 revert fix-answer --wait=drained
has 'fix-answer is reverted\|fix-answer is closed'
[ "$(tell call)" = 41 ] || fail 'the function did not come back'

echo 'all promises kept'
