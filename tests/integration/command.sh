#!/bin/sh
# SPDX-License-Identifier: MIT
# The promises of the hotpatch command: exit codes, what it prints, and that
# asking twice changes nothing. Arguments: the command, and the folder in which
# the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
directory=$(mktemp -d /tmp/hotpatch-command-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
first_pid=
second_pid=

clean_up() {
	# Closing their input ends the hosts.
	exec 3>&- 5>&- || true
	[ -z "$first_pid" ] || wait "$first_pid" || true
	[ -z "$second_pid" ] || wait "$second_pid" || true
	rm -rf "$directory"
}
trap clean_up EXIT
. "$(dirname "$0")/scripts/common.sh"

mkfifo "$directory/to-first" "$directory/from-first" \
	"$directory/to-second" "$directory/from-second"

promise=no_process_is_exit_8
expect 8 status
complains 'E_NO_PROCESS'

"$host" serve <"$directory/to-first" >"$directory/from-first" &
first_pid=$!
exec 3>"$directory/to-first" 4<"$directory/from-first"
read -r socket <&4

promise=the_only_process_is_found
expect 0 status
has "process $first_pid"

promise=list_shows_functions
expect 0 list
has 'answer .*(original)'

promise=json_is_one_object
expect 0 --json list
[ "$(head -c 1 "$output")" = '{' ] || fail 'not an object'
[ "$(grep -c '^}' "$output")" -eq 1 ] || fail 'more than one object'

promise=dry_run_changes_nothing
expect 0 apply --dry-run "$bundle"
[ "$(tell call)" = 41 ] || fail 'the function changed'

promise=inspect_shows_the_manifest
expect 0 inspect "$bundle"
has 'fix-answer'
has 'answer .*int (void)'

promise=inspect_tells_machines_the_same
expect 0 inspect --json "$bundle"
has '"functions"'
has '"targets"'
has '"constructors": 0'

promise=dry_run_tells_machines_the_same
expect 0 apply --dry-run --json "$bundle"
has '"dry_run": true'
has '"functions"'

promise=inspect_refuses_what_is_no_bundle
expect 3 inspect "$host"
complains 'E_NOT_BUNDLE'

promise=apply_makes_the_fix_active
expect 0 apply "$bundle"
has 'fix-answer is active'
[ "$(tell call)" = 42 ] || fail 'the function did not change'
expect 0 list
has 'answer .*fix-answer'

promise=second_apply_changes_nothing_and_says_so
expect 0 apply "$bundle"
has 'already active'
expect 0 --json apply "$bundle"
has '"already": true'

promise=active_patch_cannot_be_waited_for_to_be_unmapped
expect 1 wait fix-answer --goal unmapped
complains 'E_STATE'

promise=revert_brings_the_original_back
expect 0 revert fix-answer
has 'fix-answer is reverted'
[ "$(tell call)" = 41 ] || fail 'the function did not come back'

promise=second_revert_changes_nothing_and_says_so
expect 0 revert fix-answer
has 'already'

promise=json_tells_durations
expect 0 --json apply "$bundle"
has '"drain_us": '
expect 0 --json revert fix-answer
has '"unmap_us": '
has '"state": "closed"'

promise=blocked_apply_is_undone_at_the_deadline
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
expect 5 apply "$bundle" --timeout 0.2
complains 'E_STALLED'
[ ! -s "$output" ] || fail 'there is output'

promise=progress_is_for_terminals
[ "$(wc -l <"$errors")" -eq 1 ] || fail 'more than the one line'

promise=status_names_who_is_in_the_way
[ "$(tell release)" = release ] || fail 'the host does not release'
expect 0 revert --all
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
expect 0 apply "$bundle" --wait=none
has 'fix-answer is applying'
expect 0 status
has 'holder'

promise=waiting_ends_at_its_timeout
expect 5 wait fix-answer --timeout 0.1
complains 'E_TIMEOUT'

promise=revert_turns_a_transition_round
expect 0 revert fix-answer --wait=none
[ "$(tell call)" = 41 ] || fail 'the function is not the original'
[ "$(tell release)" = release ] || fail 'the host does not release'
expect 0 revert --all

promise=revert_all_takes_every_patch_back
expect 0 apply "$bundle"
expect 0 revert --all
has 'fix-answer is reverted'
expect 0 revert --all
has 'no patch is active'

promise=files_that_are_no_bundles_are_not_eligible
expect 3 apply "$0"
complains 'E_NOT_ELF'
expect 3 apply "$host"
complains 'E_NOT_BUNDLE'

promise=missing_file_is_not_found
expect 1 apply "$directory/none"
complains 'E_NOT_FOUND'

promise=link_is_not_followed
ln -s "$bundle" "$directory/link"
expect 1 apply "$directory/link"
complains 'E_NOT_REGULAR'

promise=unknown_patch_is_refused
expect 1 revert no-such-patch
complains 'E_NO_PATCH'

promise=errors_are_json_too
expect 1 --json revert no-such-patch
has '"code": "E_NO_PATCH"'
[ ! -s "$errors" ] || fail 'there are errors'

promise=what_is_not_understood_is_exit_2
expect 2
expect 2 frobnicate
expect 2 apply
expect 2 apply a b
expect 2 list --wait=none
expect 2 apply x --timeout never
expect 2 apply x --policy perhaps
expect 2 apply x --wait=unmapped
expect 2 --pid 1 --socket x status
complains 'E_USAGE'

promise=help_and_version_need_no_process
expect 0 --help
has '^usage: '
expect 0 --version
has '^hotpatch '

promise=socket_that_nobody_has_is_exit_7
expect 7 --socket "$directory/none" status
complains 'E_UNREACHABLE'

"$host" serve <"$directory/to-second" >"$directory/from-second" &
second_pid=$!
exec 5>"$directory/to-second" 6<"$directory/from-second"
read -r second_socket <&6

promise=several_processes_must_be_told_apart
expect 2 status
complains "$first_pid.*$second_pid\|$second_pid.*$first_pid"
expect 0 --pid "$second_pid" status
has "process $second_pid"
expect 0 --socket "$socket" status
has "process $first_pid"

promise=process_that_was_killed_is_not_found
kill -KILL "$second_pid"
wait "$second_pid" 2>/dev/null || true
second_pid=
[ -S "$second_socket" ] || fail 'there is no stale socket'
expect 0 status
has "process $first_pid"

promise=process_that_ends_removes_its_socket
exec 3>&-
wait "$first_pid"
first_pid=
[ ! -e "$socket" ] || fail 'the socket is still there'

echo 'all promises kept'
