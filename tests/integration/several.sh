#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Several processes of one program: chosen, looked at, and changed together or
# not at all. Arguments: the command, and the folder in which the tests were
# built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
instead=$2/bundles/integration-command_host/instead.so
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d /tmp/hotpatch-several-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
program=test_integration_command_host
command_pid=
group=

clean_up() {
	[ -z "$command_pid" ] || kill -KILL "$command_pid" 2>/dev/null || true
	end_hosts
	[ -z "$group" ] || rmdir "$group"
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT

# count TEXT NUMBER: so many lines of the output have it.
count() {
	[ "$(grep -c -e "$1" "$output")" -eq "$2" ] || fail "not $2 lines: $1"
}

# complains_of TEXT: there is output, too: what became of each.
complains_of() {
	grep -q -e "$1" "$errors" || fail "no '$1' in the errors"
}

# hold, release: a thread of the host at this place.
hold() {
	[ "$(tell_host "$1" hold)" = hold ] || fail 'the host does not hold'
}

release() {
	[ "$(tell_host "$1" release)" = release ] ||
		fail 'the host does not release'
}

promise=nobody_matched_is_exit_8
for selector in --all "--program $program" '--unit server' '--pid 1'; do
	# shellcheck disable=SC2086 # two words
	expect 8 $selector status
	complains E_NO_PROCESS
done

start_host
start_host
start_host

promise=one_has_to_be_chosen_where_one_is_wanted
expect 2 status
complains "E_SEVERAL.*${host_pids[0]}.*${host_pids[2]}"
expect 0 --pid "${host_pids[1]}" status
has "process ${host_pids[1]}"
expect 2 revert --all
complains E_SEVERAL

promise=selectors_exclude_each_other
expect 2 --all --pid 1 status
expect 2 --program x --unit y status
expect 2 --socket x --all status
complains E_USAGE

promise=program_chooses_all_that_run_it
expect 0 --program "$program" status
count settled 3
expect 8 --program "${program%t}" status
expect 0 --all list
count '^answer .*(original)' 3

promise=unit_chooses_by_control_group
mine=$(sed -n 's/^0:://p' /proc/self/cgroup)
root=$(sed -n 's/^\S* \(\S*\) cgroup2 .*/\1/p' /proc/self/mounts | head -n 1)
if [ -n "$root" ] && mkdir "$root$mine/hotpatch-$$.service" 2>/dev/null; then
	group=$root$mine/hotpatch-$$.service
	if echo "${host_pids[1]}" 2>/dev/null >"$group/cgroup.procs"; then
		expect 0 --unit "hotpatch-$$" status
		count settled 1
		has "${host_pids[1]}"
		expect 0 --unit "hotpatch-$$.service" list
		has "process ${host_pids[1]}"
		expect 8 --unit "hotpatch" status
	else
		echo "not shown: $promise: the group takes no process"
	fi
else
	echo "not shown: $promise: no control group can be made"
fi

promise=dry_run_changes_nothing
expect 0 --all apply --dry-run "$bundle"
count untouched 3
has 'nothing was changed'
all_answer 41

promise=apply_makes_the_fix_active_everywhere
expect 0 --all apply "$bundle"
count ' active ' 3
all_answer 42
expect 0 --all status
count '+fix-answer@1$' 3

promise=second_apply_changes_nothing_and_says_so
expect 0 --all apply "$bundle"
count already 3
has 'nothing had to be changed in 3 processes'

promise=revert_takes_it_back_everywhere
expect 0 --pid "${host_pids[0]}" revert fix-answer
expect 0 --all revert --dry-run fix-answer
count untouched 2
count already 1
expect 0 --all revert fix-answer
count ' reverted ' 2
count already 1
all_answer 41
expect 1 --all revert fix-answer
complains_of E_NO_PATCH

promise=one_that_stalls_takes_the_others_back
hold 1
expect 5 --all apply "$bundle" --timeout 0.2
complains_of "E_STALLED: $program ${host_pids[1]}: .*holder"
count ' undone ' 2
count ' failed ' 1
all_answer 41
expect 0 --all status
count settled 3
count fix-answer 0

promise=where_it_was_before_it_stays
release 1
expect 0 --pid "${host_pids[0]}" apply "$bundle"
hold 1
expect 5 --all apply "$bundle" --timeout 0.2
count already 1
count ' undone ' 1
[ "$(tell_host 0 call)" = 42 ] || fail 'the first was reverted'
[ "$(tell_host 2 call)" = 41 ] || fail 'the third was not'
release 1
expect 0 --all revert --all-patches
all_answer 41

promise=what_was_replaced_and_does_not_come_back_is_told
expect 0 --all apply "$bundle"
hold 1
expect 5 --all apply "$instead" --timeout 0.2
complains_of "E_STALLED: $program ${host_pids[1]}: "
count ' differs ' 2
count 'It runs [0-9a-f]* now, and ran [0-9a-f]*+fix-answer@1 before' 2
count ' failed ' 1
release 1
[ "$(tell_host 0 call)" = 41 ] || fail 'the first runs something'
[ "$(tell_host 1 call)" = 42 ] || fail 'the second does not run what it did'
expect 0 --all status
count '+fix-answer@1$' 1
expect 0 --pid "${host_pids[1]}" revert fix-answer
expect 0 --all apply "$bundle"
hold 1
expect 5 --json --all apply "$instead" --timeout 0.2
[ "$(grep -c '"outcome": "differs"' "$output")" -eq 2 ] || fail 'not in JSON'
has '"code": "E_STATE"'
release 1
expect 0 --all revert --all-patches
all_answer 41

promise=one_that_refuses_leaves_all_untouched
expect 3 --all apply "$host"
count ' failed ' 3
expect 0 --all status
count settled 3

promise=command_that_is_killed_before_it_applies_leaves_nothing
if strace -o /dev/null true 2>/dev/null; then
	# At its first, second, ... request: six come before the first apply.
	for turn in 1 2 3 4 5 6 7 8 9 10; do
		code=0
		# The shell says that it was killed, too.
		{ ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null \
			-e trace=sendmsg -e inject="sendmsg:signal=KILL:when=$turn" \
			"$command" --all apply "$bundle" >"$output" </dev/null ||
			code=$?; } 2>"$errors"
		[ "$code" -eq 137 ] || fail "not killed at request $turn"
		[ "$turn" -gt 6 ] || all_answer 41
		expect 0 --all apply "$bundle"
		all_answer 42
		expect 0 --all revert --all-patches
		all_answer 41
	done
else
	echo "not shown: $promise: strace may not trace here"
fi

promise=one_that_died_is_no_longer_meant
kill -KILL "${host_pids[2]}"
wait "${host_pids[2]}" 2>/dev/null || true
expect 0 --all status
count settled 2

echo 'all promises kept'
