#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A patch is shown to some first, by the command: in one process, and the same
# in several. Arguments: the command, and the folder in which the tests were
# built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d /tmp/hotpatch-canary-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"

clean_up() {
	end_hosts
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT

# serves PLACE KEY ANSWER: what the host gives this key.
serves() {
	reply=$(tell_host "$1" "serve$2")
	[ "$reply" = "$3" ] || fail "host $1 gives $reply to $2, not $3"
}

# which PLACE: those of a hundred keys that have the patch.
which() {
	local key
	for key in {0..99}; do
		[ "$(tell_host "$1" "serve$key")" = 41 ] || echo "$key"
	done
}

start_host

promise=share_and_keys_have_to_be_some
for share in 5 -1% 101% 5%% x% '' nan%; do
	expect 2 apply --canary "$share" "$bundle"
	complains percentage
	expect 2 canary fix-answer "$share"
done
for key in x '' -1 1.5 18446744073709551616; do
	expect 2 apply --canary-key "$key" "$bundle"
	complains key
done
expect 2 canary fix-answer
complains 'needs a share'
expect 2 canary fix-answer all --canary-key 1
expect 2 canary fix-answer 5% more
expect 2 revert fix-answer --canary 5%
complains 'takes no --canary'
expect 1 canary fix-answer 5%
complains E_NO_PATCH

promise=what_some_see_is_neither_kept_nor_verified
for option in --keep '--verify true'; do
	for whom in --canary=5% --canary-key=7; do
		# shellcheck disable=SC2086
		expect 2 apply "$whom" $option "$bundle"
		complains "cannot ${option% true} what --canary shows to some"
	done
done
expect 0 status
lacks fix-answer

promise=one_that_some_cannot_have_alone_is_foreseen
meeting=${bundle%fix.so}meet.so
expect 0 apply --dry-run "$meeting"
expect 3 apply --dry-run --canary 5% "$meeting"
complains E_CANARY
cp "$errors" "$directory/foreseen"
expect 3 apply --canary 5% "$meeting"
cmp "$errors" "$directory/foreseen" || fail 'it is refused otherwise'
expect 3 apply --all --dry-run --canary 5% "$meeting"
grep -q E_CANARY "$errors" || fail 'not of several'
expect 0 apply --dry-run --canary 5% "$bundle"
has 'nothing was changed'
expect 0 status
lacks fix-answer

promise=some_have_it_and_others_not
expect 0 apply --canary 0.5% --canary-key 7 \
	--canary-key 18446744073709551615 "$bundle"
has 'shown to 0.50 % and 2 keys, 0 tasks now'
serves 0 7 42
serves 0 18446744073709551615 42
reply=$(tell_host 0 call)
[ "$reply" = 41 ] || fail "no section gives $reply"
expect 0 status
has 'applying.* shown to 0.50 % and 2 keys'
expect 0 apply "$bundle" --wait=none
has 'already shown'
expect 5 apply "$bundle" --timeout 0.1 --policy wait
complains 'its canary is open'

promise=that_others_wait_for_it_is_foreseen
other=${bundle%fix.so}keep.so
expect 1 apply --dry-run "$other"
complains 'E_BUSY: The canary of fix-answer is open'
expect 1 apply --timeout 0.1 "$other"
complains E_BUSY
expect 0 apply --dry-run "$bundle"
has 'is already in'

promise=it_is_raised_and_stopped
which 0 >"$directory/few"
expect 0 canary fix-answer 50%
has 'shown to 50.00 % and 0 keys'
which 0 >"$directory/half"
[ "$(wc -l <"$directory/half")" -gt 20 ] || fail 'too few'
[ "$(wc -l <"$directory/half")" -lt 80 ] || fail 'too many'
expect 0 canary fix-answer 80%
which 0 >"$directory/most"
! grep -qvxFf "$directory/most" "$directory/half" ||
	fail 'raised, it takes others'
expect 0 canary fix-answer 80%
has 'already shown to 80.00 %'
expect 0 canary fix-answer 0%
[ -z "$(which 0)" ] || fail 'stopped, it takes somebody'

promise=a_task_that_has_it_is_counted
expect 0 canary fix-answer 100%
[ "$(tell_host 0 hold)" = hold ] || fail 'the host does not hold'
expect 0 status
has 'shown to 100.00 % and 0 keys, 1 tasks now'
expect 0 canary fix-answer 0%
expect 0 status
has 'shown to 0.00 % and 0 keys, 1 tasks now'

promise=it_comes_to_all_or_is_taken_back
expect 0 canary fix-answer all
has 'fix-answer is active'
expect 0 apply --dry-run "$other"
all_answer 42
expect 0 canary fix-answer all
has already
expect 1 canary fix-answer 5%
complains E_NO_CANARY
[ "$(tell_host 0 release)" = release ] || fail 'the host does not release'
expect 0 revert fix-answer
all_answer 41
expect 0 apply --canary 100% "$bundle"
serves 0 1 42
expect 0 revert fix-answer
has 'reverted'
serves 0 1 41

promise=several_processes_have_the_same
start_host
expect 0 apply --all --canary 50% "$bundle"
[ "$(grep -c applying "$output")" -eq 2 ] || fail 'not in both'
which 0 >"$directory/first"
which 1 >"$directory/second"
cmp -s "$directory/first" "$directory/second" || fail 'not the same keys'
cmp -s "$directory/first" "$directory/half" || fail 'not the same again'
expect 0 canary --all fix-answer 10%
[ "$(grep -c 'shown to 10.00 %' "$output")" -eq 2 ] || fail 'not both'
expect 0 canary --all fix-answer all
all_answer 42
expect 0 revert --all fix-answer
all_answer 41

echo 'all promises kept'
