#!/bin/sh
# SPDX-License-Identifier: MIT
# hotpatch check with the number of a process: what another tool wrote over a
# function is told by the process's memory alone. Arguments: the command, and
# the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_redirect_check_host
bundle=$2/bundles/integration-redirect_check_host/fix_sealed.so
directory=$(mktemp -d /tmp/hotpatch-redirect-check-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
pid=

clean_up() {
	exec 3>&- || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$directory"
}
trap clean_up EXIT
. "$(dirname "$0")/scripts/common.sh"

if [ ! -e "$host" ] || [ ! -e "$bundle" ]; then
	echo "this build cannot redirect, or not seal"
	exit 77
fi
if "$command" status 2>&1 | grep -q E_UNSUPPORTED; then
	echo "this build has no control socket"
	exit 77
fi

# write_byte VALUE: as a debugger does
write_byte() {
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf %03o "$1")" |
		dd of="/proc/$pid/mem" bs=1 seek="$address" conv=notrunc \
			2>/dev/null || {
		echo "the memory of a process cannot be written to here"
		exit 77
	}
}

mkfifo "$directory/to" "$directory/from"
"$host" serve <"$directory/to" >"$directory/from" &
pid=$!
exec 3>"$directory/to" 4<"$directory/from"
read -r result <&4
[ "$result" = 2 ] || fail "the function gives $result"
address=$(tell address)
before=$(tell byte)

promise=process_that_is_as_sealed_is_hotpatchable
expect 0 check "$bundle" --pid "$pid"
has '^hotpatchable'
expect 0 check "$bundle" --target "$pid"
has '^hotpatchable'

promise=breakpoint_in_the_memory_is_refused_and_nothing_is_loaded
write_byte 204
expect 0 check "$bundle" --target "$host"
expect 3 check "$bundle" --pid "$pid"
has '^refused: fix'
has 'hidden in .*: its bytes are not those that were sealed'
grep -q E_FOREIGN "$errors" || fail 'another status'
expect 3 --json check "$bundle" --pid "$pid"
has '"verdict": *"refused"'
has '"code": *"E_FOREIGN"'
! grep -q 'hotpatch-.*\.so' "/proc/$pid/maps" || fail 'a copy is mapped'
[ "$(tell byte)" = 204 ] || fail 'the breakpoint is gone'

promise=without_the_breakpoint_it_is_hotpatchable_again
write_byte "$before"
expect 0 check "$bundle" --pid "$pid"
expect 0 apply "$bundle" --pid "$pid"
[ "$(tell call)" = 102 ] || fail 'the function did not change'

promise=own_jump_is_nobody_elses
expect 0 check "$bundle" --pid "$pid"
expect 0 revert fix --pid "$pid"
[ "$(tell byte)" = "$before" ] || fail 'the bytes did not come back'

promise=process_that_cannot_be_asked_is_no_answer
expect 2 check "$bundle" --pid "$pid" --target "$host"
sleep 600 &
other=$!
code=0
"$command" check "$bundle" --pid "$other" >"$output" 2>"$errors" || code=$?
kill "$other"
wait "$other" 2>/dev/null || true
[ "$code" -eq 3 ] || fail "exit $code of another program's process"
has '^not-for-this-build'
