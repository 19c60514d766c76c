#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What people of other users and groups may do with the command: the group
# looks, others are refused, and each refusal says why. Arguments: the command,
# and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

if [ "$(id -u)" -ne 0 ] || ! setpriv --reuid 54321 --regid 54321 \
	--clear-groups true 2>/dev/null; then
	echo "only root can become somebody else"
	exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d /tmp/hotpatch-access-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
# Where everybody can read them.
chmod 755 "$directory"
cp "$1" "$directory/hotpatch"
cp "$2/test_integration_command_host" "$2/../lib"/libhotpatch.so* \
	"$2/bundles/integration-command_host/fix.so" \
	"$2/bundles/integration-command_host/meet.so" "$directory" 2>/dev/null ||
	true
export LD_LIBRARY_PATH="$directory"
command=$directory/as
person=(--clear-groups)
host=$directory/test_integration_command_host
bundle=$directory/fix.so

clean_up() {
	end_hosts
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT

# become USER GROUP [GROUP]: who runs the command from here on.
become() {
	person=(--reuid "$1" --regid "$2")
	if [ $# -gt 2 ]; then
		person+=(--groups "$3")
	else
		person+=(--clear-groups)
	fi
	printf '#!/bin/sh\nexec setpriv %s "%s" "$@"\n' "${person[*]}" \
		"$directory/hotpatch" >"$command"
	chmod 755 "$command"
}

# changes NUMBER: this person may change something, with this result.
changes() {
	expect 0 apply "$bundle"
	[ "$(tell_host 0 call)" = 42 ] || fail 'the function did not change'
	expect 0 revert fix-answer
	[ "$(tell_host 0 call)" = 41 ] || fail 'the function did not come back'
}

# Root's server, and the members of a group.
launcher=(setpriv --regid 54321 --clear-groups)
start_host

promise=owner_may_change
become 0 0
changes

promise=group_may_look
for groups in '54322 54321' '54322 54322 54321'; do
	# shellcheck disable=SC2086 # several words
	become $groups
	for words in status list log metrics '--json status' \
		"apply --dry-run $bundle"; do
		# shellcheck disable=SC2086 # several words
		expect 0 $words
	done
	expect 0 apply --dry-run "$directory/meet.so"
	expect 3 apply --dry-run --canary 5% "$directory/meet.so"
	complains E_CANARY
done

promise=group_may_not_change
for words in "apply $bundle" "revert fix-answer" \
	"revert --all-patches" "--all apply $bundle"; do
	# shellcheck disable=SC2086 # several words
	expect 1 $words
	grep -q 'E_PERMISSION: .*may change anything' "$errors" || fail "$words"
	[ "$(tell_host 0 call)" = 41 ] || fail 'the function changed'
done
expect 1 --json apply "$bundle"
has '"code": "E_PERMISSION"'

promise=others_are_refused_by_the_file_system
become 54323 54323
for words in status "apply $bundle" "--socket ${host_sockets[0]} status"; do
	# shellcheck disable=SC2086 # several words
	expect 7 $words
	complains 'E_UNREACHABLE: .*Permission denied'
done

promise=others_are_refused_by_the_server
chmod 755 "$directory/run"
chmod 666 "${host_sockets[0]}"
for words in status "apply $bundle"; do
	# shellcheck disable=SC2086 # several words
	expect 1 $words
	complains 'E_PERMISSION: This user may not connect'
done
[ "$(tell_host 0 call)" = 41 ] || fail 'the function changed'
end_hosts
rm -r "$directory/run"

# Somebody's server.
chmod 1777 "$directory"
launcher=(setpriv --reuid 54321 --regid 54321 --clear-groups)
start_host

promise=who_runs_the_server_may_change_and_so_may_root
become 54321 54321
changes
become 0 0
changes

promise=other_people_may_not
become 54322 54321
expect 0 status
expect 1 apply "$bundle"
complains 'E_PERMISSION'
become 54322 54322
expect 7 status
complains 'Permission denied'

promise=nobody_is_somebody_where_everybody_has_a_number
if [ "$(cat /proc/self/uid_map)" = "$(printf '%10s %10s %10s' 0 0 4294967295)" ]; then
	end_hosts
	rm -r "$directory/run"
	launcher=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	start_host
	become 65534 65534
	changes
else
	echo "not shown: $promise: this is a user namespace"
fi

echo 'all promises kept'
