# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck source-path=SCRIPTDIR/..
# One process that a script has obey: that of command_host.c, at descriptors 3
# and 4, with a runtime directory of its own. Set $command and $host first; the
# process and $directory go with the script.
set -eu

: "${command:?}" "${host:?}"
directory=$(mktemp -d /tmp/hotpatch-host-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
host_pid=

clean_up() {
	# Closing its input ends the host.
	exec 3>&- || true
	[ -z "$host_pid" ] || wait "$host_pid" || true
	rm -rf "$directory"
}
trap clean_up EXIT
. "$(dirname "$0")/scripts/common.sh"

mkfifo "$directory/to" "$directory/from"
"$host" serve <"$directory/to" >"$directory/from" &
host_pid=$!
exec 3>"$directory/to" 4<"$directory/from"
read -r socket <&4
[ -S "$socket" ] || fail 'no socket'
