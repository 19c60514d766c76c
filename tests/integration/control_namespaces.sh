#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command and a server that do not see the same: other mounts, other
# numbers of processes or users, another root directory. Arguments: the
# command, and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

# As root, or as root of a user namespace of this script's own.
skip() {
	echo "$*"
	exit 77
}
[ -z "${HOTPATCH_TEST_EMULATED:-}" ] || skip "not under an emulator"
if [ "$(id -u)" -ne 0 ]; then
	unshare -Ur true 2>/dev/null || skip "no user namespace can be made"
	exec unshare -Ur "$0" "$@"
fi
unshare --mount --pid --fork --mount-proc true 2>/dev/null ||
	skip "no namespace of mounts and processes can be made"

command=$(realpath "$1")
tests=$(realpath "$2")
host=./test_integration_command_host
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d /tmp/hotpatch-spaces-XXXXXX)
bundle=$directory/fix.so
program=test_integration_command_host
group=

clean_up() {
	end_hosts
	[ -z "$group" ] || rmdir "$group"
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT
cp "$tests/bundles/integration-command_host/fix.so" "$bundle"
# By paths that hold where these folders cannot be seen.
cd "$tests"
export LD_LIBRARY_PATH="../lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# child_of PID: of the command unshare, which stays beside what it runs.
child_of() {
	local child

	read -r child <"/proc/$1/task/$1/children"
	echo "$child"
}

# changes SELECTOR...: a patch comes and goes as it does elsewhere.
changes() {
	expect 0 "$@" apply "$bundle"
	has 'active'
	[ "$(tell_host 0 call)" = 42 ] || fail 'the function did not change'
	expect 0 "$@" revert fix-answer
	has 'reverted'
	[ "$(tell_host 0 call)" = 41 ] || fail 'the function did not come back'
}

promise=server_with_other_mounts_is_reached_by_its_root
mkdir "$directory/run"
export HOTPATCH_RUNTIME_DIR="$directory/run"
# shellcheck disable=SC2016 # that shell's own arguments
launcher=(env -u HOTPATCH_RUNTIME_DIR unshare --mount sh -ec '
	mount -t tmpfs tmpfs /run
	mount -t tmpfs tmpfs /tmp
	exec "$@"' sh)
start_host
expect 8 --pid "${host_pids[0]}" status
complains "E_NO_PROCESS.*/proc/${host_pids[0]}/root"
socket=/proc/${host_pids[0]}/root${host_sockets[0]}
[ ! -e "${host_sockets[0]}" ] || fail 'the socket can be seen here'
[ ! -e "/proc/${host_pids[0]}/root$bundle" ] || fail 'the bundle is there'
changes --socket "$socket"
export HOTPATCH_RUNTIME_DIR="${socket%/*}"
changes --pid "${host_pids[0]}"
changes --program "$program"
end_hosts

promise=server_with_other_numbers_is_chosen_by_the_one_it_has_here
export HOTPATCH_RUNTIME_DIR="$directory/run"
launcher=(unshare --pid --fork --mount-proc)
start_host
pid=$(child_of "${host_pids[0]}")
[ "${host_sockets[0]##*/}" = "$program.1.sock" ] || fail "${host_sockets[0]}"
expect 0 --pid "$pid" status
has 'process 1,'
changes --pid "$pid"
expect 8 --pid 1 status
complains 'E_NO_PROCESS'
expect 0 --program "$program" --json status
changes --all

promise=unit_of_a_server_with_other_numbers
mine=$(sed -n 's/^0:://p' /proc/self/cgroup)
root=$(sed -n 's/^\S* \(\S*\) cgroup2 .*/\1/p' /proc/self/mounts | head -n 1)
if [ -n "$root" ] && mkdir "$root$mine/hotpatch-$$.service" 2>/dev/null; then
	group=$root$mine/hotpatch-$$.service
	if echo "$pid" 2>/dev/null >"$group/cgroup.procs"; then
		expect 0 --unit "hotpatch-$$" status
		has "$pid"
	else
		echo "not shown: $promise: the group takes no process"
	fi
else
	echo "not shown: $promise: no control group can be made"
fi
expect 8 --unit no-such-unit status
complains 'E_NO_PROCESS'
end_hosts

promise=command_that_has_no_number_for_the_server
launcher=()
start_host
inside="$directory/inside"
# shellcheck disable=SC2016 # that shell's own arguments
printf '#!/bin/sh\nexec unshare --pid --fork --mount-proc "%s" "$@"\n' \
	"$command" >"$inside"
chmod +x "$inside"
outside=$command
command=$inside
expect 0 --pid "${host_pids[0]}" status
has "process ${host_pids[0]},"
changes --pid "${host_pids[0]}"
changes --program "$program"
# Number 1 is the command itself, in there.
expect 8 --unit "$(basename "$(cut -d: -f3 /proc/1/cgroup | tail -n 1)")" status
complains 'E_NO_PROCESS'
complains 'of 1 there it cannot be told'
command=$outside
end_hosts

promise=server_that_sees_its_threads_by_other_numbers_says_so
launcher=(unshare --pid --fork)
start_host
expect 0 apply "$bundle"
expect 5 revert fix-answer
complains 'E_RETAINED: .*/proc'
[ "$(tell_host 0 call)" = 41 ] || fail 'the function did not come back'
end_hosts

promise=server_without_any_user_recognises_nobody
launcher=(unshare --user)
start_host
expect 1 status
complains 'E_PERMISSION: .*cannot tell who it is'
expect 1 apply "$bundle"
complains 'E_PERMISSION: .*cannot tell who it is'
[ "$(tell_host 0 call)" = 41 ] || fail 'the function changed'
end_hosts

promise=server_in_another_root_without_proc
if [ -n "${ASAN_OPTIONS:-}" ]; then
	echo "not shown: $promise: a sanitizer needs /proc"
else
	unset LD_LIBRARY_PATH
	export HOTPATCH_RUNTIME_DIR=/run/hotpatch
	mkdir -p "$directory/root/run" "$directory/root/tmp" \
		"$directory/root$tests" "$directory/root${tests%/*}/lib"
	# shellcheck disable=SC2016 # that shell's own arguments
	launcher=(unshare --mount sh -ec '
		root=$1
		tests=$2
		shift 2
		for name in bin lib lib64 usr; do
			if [ -L "/$name" ]; then
				cp -P "/$name" "$root/$name"
			elif [ -d "/$name" ]; then
				mkdir "$root/$name"
				mount --rbind "/$name" "$root/$name"
			fi
		done
		mount --bind "$tests" "$root$tests"
		mount --bind "$tests/../lib" "$root${tests%/*}/lib"
		exec chroot "$root" "$@"' sh "$directory/root" "$tests")
	host=$tests/test_integration_command_host
	start_host
	export HOTPATCH_RUNTIME_DIR="$directory/root/run/hotpatch"
	expect 0 --pid "${host_pids[0]}" status
	expect 0 apply "$bundle"
	[ "$(tell_host 0 call)" = 42 ] || fail 'the function did not change'
	expect 5 revert fix-answer
	complains 'E_RETAINED: .*/proc'
	[ "$(tell_host 0 call)" = 41 ] || fail 'the function did not come back'
fi

echo 'all promises kept'
