#!/bin/sh
# SPDX-License-Identifier: MIT
# There is a static probe for each phase, where tools look for it, and gdb stops
# at one with its arguments. Arguments: the command, which is not used, and the
# folder in which the tests were built.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
host=$2/test_integration_debugger_host
folder=$(mktemp -d /tmp/hotpatch-probes-XXXXXX)
trap 'rm -rf "$folder"' EXIT

fail() {
	echo "failed: $promise: $*" >&2
	[ ! -e "$folder/output" ] || cat "$folder/output" >&2
	exit 1
}

# Where the library is linked statically its notes are the program's.
library=$(ldd "$host" | awk '/libhotpatch/ { print $3 }')
: "${library:=$host}"

promise=each_phase_has_its_probe_once
sed -n 's/^\tX(PHASE_[A-Z_]*, "\([a-z-]*\)").*/\1/p' \
	"$root/include/hotpatch/event.h" | tr - _ | sort >"$folder/phases"
[ "$(wc -l <"$folder/phases")" -ge 30 ] || fail 'the phases were not found'
readelf -n "$library" 2>"$folder/errors" >"$folder/notes"
grep -A1 'Provider: hotpatch' "$folder/notes" | sed -n 's/^ *Name: //p' |
	sort >"$folder/probes"
cmp -s "$folder/phases" "$folder/probes" ||
	fail "$(diff "$folder/phases" "$folder/probes")"

promise=probes_need_no_arming
if grep 'Semaphore: 0x0*[1-9a-f]' "$folder/notes"; then
	fail 'a semaphore'
fi

# The sanitizers' run times do not like a debugger around them.
if [ -n "${ASAN_OPTIONS:-}${HOTPATCH_TEST_EMULATED:-}" ]; then
	exit 0
fi
command -v gdb >/dev/null || {
	echo "there is no gdb"
	exit 77
}

promise=gdb_stops_at_a_probe_with_its_arguments
# shellcheck disable=SC2016 # the variables are gdb's
gdb -nx -batch -iex 'set auto-load off' -iex 'set debuginfod enabled off' \
	-ex 'set breakpoint pending on' -ex 'break -probe-stap hotpatch:active' \
	-ex run -ex 'info probes stap hotpatch' \
	-ex 'printf "patch %s, status %d\n", (char *)$_probe_arg0, (int)$_probe_arg3' \
	-ex 'printf "generation %d\n", $_probe_arg2 > 1' -ex kill \
	"$host" >"$folder/output" 2>&1 </dev/null || fail 'gdb failed'
grep -q '^patch fix-doze, status 0$' "$folder/output" || fail 'the patch'
grep -q '^generation 1$' "$folder/output" || fail 'the generation'
grep -q 'hotpatch *drained ' "$folder/output" || fail 'the list of probes'
