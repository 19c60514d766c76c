#!/bin/sh
# SPDX-License-Identifier: MIT
# perf names the functions of a patch in its samples, and shows who called them
# and whom they call. Arguments: the command, which is not used, and the folder
# in which the tests were built.
set -eu

host=$2/test_integration_perf_host
folder=$(mktemp -d /tmp/hotpatch-perf-XXXXXX)
export HOME="$folder"
pid=

clean_up() {
	exec 3>&- 4<&- || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$folder"
}
trap clean_up EXIT

skip() {
	echo "$*"
	exit 77
}

fail() {
	echo "failed: $promise: $*" >&2
	tail -n 40 "$folder/output" >&2
	exit 1
}

command -v perf >/dev/null || skip "there is no perf"
[ -z "${ASAN_OPTIONS:-}${HOTPATCH_TEST_EMULATED:-}" ] ||
	skip "not under a sanitizer or an emulator"
perf record -e cpu-clock:u -o "$folder/data" true >"$folder/output" 2>&1 ||
	skip "perf may not sample here: $(tail -n 1 "$folder/output")"

promise=the_host_starts
mkfifo "$folder/to" "$folder/from"
"$host" stay <"$folder/to" >"$folder/from" 2>"$folder/output" &
pid=$!
exec 3>"$folder/to" 4<"$folder/from"
read -r ready <&4 || fail 'no host'
[ "$ready" = ready ] || fail "the host says $ready"

# What perf runs ends when the host has computed, and so does the recording.
perf record -e cpu-clock:u -F 200 --call-graph dwarf,4096 -p "$pid" \
	-o "$folder/data" sh -c 'echo burn >&3; read -r answer <&4' \
	>"$folder/output" 2>&1 || fail 'perf record'

promise=samples_are_named_after_the_replacement
perf report -i "$folder/data" --stdio --no-children -g none \
	--sort symbol,dso >"$folder/output" 2>&1 || fail 'perf report'
grep -q '\] burn__replacement ' "$folder/output" || fail 'no name'

promise=backtraces_cross_the_patch_in_both_directions
perf script -i "$folder/data" -F ip,sym >"$folder/output" 2>&1 ||
	fail 'perf script'
awk '
	!NF { inner = patch = 0; next }
	$2 == "perf_host_burn" { inner = 1 }
	$2 == "burn__replacement" && inner { patch = 1 }
	$2 == "main" && patch { found = 1 }
	END { exit !found }
' "$folder/output" || fail 'no such backtrace'
