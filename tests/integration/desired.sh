#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What shall be on, by the command: recorded, applied by the next process before
# it serves, compared, forgotten. Arguments: the command, and the folder in
# which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_desired_host
one=$2/bundles/integration-desired_host/one.so
two=$2/bundles/integration-desired_host/two.so
elsewhere=$2/bundles/integration-command_host/fix.so
directory=$(mktemp -d /tmp/hotpatch-desired-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
store=$directory/store
host_pid=
input=

clean_up() {
	stop
	rm -rf "$directory"
}
. "$(dirname "$0")/scripts/common.sh"
. "$(dirname "$0")/scripts/restart.sh"
trap clean_up EXIT

promise=without_anything_desired_nothing_is_applied
start
[ "$outcomes" = E_ALREADY ] || fail "$outcomes"
[ "$(call)" = '0 0' ] || fail "$(call)"
expect 0 verify
has 'what runs is what should run'
expect 0 converge
has 'all that is desired is active'

promise=enabled_is_recorded_and_not_applied
expect 0 enable "$one"
has 'fix-one is desired, and loaded'
expect 0 enable "$one"
has 'already desired'
[ "$(call)" = '0 0' ] || fail "$(call)"
expect 1 verify
has 'fix-one is desired and not active'
expect 0 status
has '^fix-one  *1  *missing'

promise=dry_run_changes_nothing
expect 0 converge --dry-run
has 'fix-one would be applied'
[ "$(call)" = '0 0' ] || fail "$(call)"

promise=converge_applies_it
expect 0 converge
has 'fix-one is active'
[ "$(call)" = '42 0' ] || fail "$(call)"
expect 0 status
has '^fix-one  *1  *active'
expect 0 verify

promise=kept_is_applied_and_recorded
expect 0 apply --keep "$two"
has 'fix-two is active'
[ "$(call)" = '42 43' ] || fail "$(call)"
expect 0 apply --keep "$two"
has 'already active'
expect 0 verify

promise=next_process_has_it_before_it_serves
stop
start
[ "$outcomes" = 'fix-one=OK fix-two=OK OK' ] || fail "$outcomes"
[ "$(call)" = '42 43' ] || fail "$(call)"
expect 0 converge
has 'all that is desired is active'

promise=disabled_stays_until_it_is_reverted
expect 0 disable fix-one
has 'fix-one is now not desired'
expect 0 disable fix-one
has 'fix-one was already not desired'
[ "$(call)" = '42 43' ] || fail "$(call)"
expect 1 verify
has 'fix-one is active and not desired'
expect 0 converge --exact --dry-run
has 'fix-one would be reverted'
expect 0 converge --exact
has 'fix-one is reverted'
[ "$(call)" = '0 43' ] || fail "$(call)"
expect 0 verify

promise=now_changes_the_process_too
expect 0 enable --now "$one"
has 'fix-one is desired, and active'
expect 0 disable --now fix-two
has 'and is reverted'
[ "$(call)" = '42 0' ] || fail "$(call)"
expect 0 disable --all
has 'everything is now not desired'
expect 0 disable --all
has 'everything was already not desired'

promise=file_switches_it_off
expect 0 enable "$one"
stop
touch "$store/off"
start
[ "$outcomes" = E_SWITCHED_OFF ] || fail "$outcomes"
[ "$(call)" = '0 0' ] || fail "$(call)"
expect 0 status
has 'a file switches it off'
expect 1 converge
complains E_SWITCHED_OFF
rm "$store/off"
expect 0 converge
[ "$(call)" = '42 0' ] || fail "$(call)"
expect 0 disable --all --now

promise=without_a_process_a_directory_will_do
stop
program=test_integration_desired_host
expect 0 enable --directory "$store" --program "$program" "$two"
has 'fix-two is now desired'
expect 0 enable --directory "$store" --program "$program" "$two" --json
has '"already": true'
expect 2 enable --directory "$store" "$two"
expect 0 enable --directory "$store" --program "$program" "$elsewhere"

promise=bundle_of_another_build_is_told_and_not_applied
start
[ "$outcomes" = 'fix-two=OK fix-answer=E_WRONG_TARGET E_DIVERGED' ] ||
	fail "$outcomes"
[ "$(call)" = '0 43' ] || fail "$(call)"
expect 1 converge
has 'fix-answer: E_WRONG_TARGET: '
grep -q E_DIVERGED "$errors" || fail 'it is not told'
expect 0 status
has '^fix-answer .* for build '
stop
expect 0 disable --directory "$store" --program "$program" fix-answer
has 'fix-answer is now not desired'

promise=several_processes_of_a_program_share_the_list
start
expect 0 verify --all
expect 2 apply --keep --all "$one"
expect 0 enable --now --program "$program" "$one"
has 'fix-one is desired, and active'
expect 0 disable --program "$program" fix-one --now
expect 0 converge --all
expect 0 verify --program "$program"

promise=damaged_list_is_told_and_the_process_serves
stop
echo x >>"$store/desired"
start
[ "$outcomes" = E_DAMAGED ] || fail "$outcomes"
[ "$(call)" = '0 0' ] || fail "$(call)"
expect 1 enable "$one"
complains E_DAMAGED
expect 0 status
has 'desired: .*damaged'
expect 0 apply "$one"
[ "$(call)" = '42 0' ] || fail "$(call)"
stop
rm "$store/desired"

promise=signed_bundles_come_back_whatever_their_sequences
if "$command" keygen "$directory/key" --no-password >"$output" 2>&1; then
	mkdir "$directory/keys"
	mv "$directory/key.pub" "$directory/keys"
	cp "$one" "$directory/one.so"
	cp "$two" "$directory/two.so"
	expect 0 sign "$directory/one.so" --key "$directory/key.key"
	expect 0 sign "$directory/two.so" --key "$directory/key.key"
	start "$directory/keys"
	expect 0 apply --keep "$directory/one.so"
	expect 0 apply --keep "$directory/two.so"
	stop
	start "$directory/keys"
	[ "$outcomes" = 'fix-one=OK fix-two=OK OK' ] || fail "$outcomes"
	stop
	rm "$store"/bundles/*.minisig
	start "$directory/keys"
	[ "$outcomes" = \
		'fix-one=E_UNSIGNED fix-two=E_UNSIGNED E_DIVERGED' ] ||
		fail "$outcomes"
	[ "$(call)" = '0 0' ] || fail "$(call)"
else
	echo "skipped: $promise: built without signatures"
fi

echo 'all promises kept'
