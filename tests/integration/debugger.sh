#!/bin/sh
# SPDX-License-Identifier: MIT
# The promises of the gdb script, on a live process, on its core, and on a
# stripped program. Arguments: the command, which is not used, and the folder
# in which the tests were built.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
host=$2/test_integration_debugger_host
folder=$(mktemp -d /tmp/hotpatch-debugger-XXXXXX)
pid=

clean_up() {
	exec 3>&- || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$folder"
}
trap clean_up EXIT

command -v gdb >/dev/null || {
	echo "there is no gdb"
	exit 77
}

# A sanitizer's process has a core of terabytes, an emulator's is another CPU's.
if [ -n "${ASAN_OPTIONS:-}${HOTPATCH_TEST_EMULATED:-}" ]; then
	echo "not under a sanitizer or an emulator"
	exit 77
fi

fail() {
	echo "failed: $*" >&2
	cat "$folder/output" >&2
	exit 1
}

# look ARGUMENT...: what gdb says of the process or core.
look() {
	gdb -nx -batch -iex 'set auto-load off' -iex 'set debuginfod enabled off' \
		-x "$root/lib/tools/hotpatch-gdb.py" "$@" \
		-ex 'info hotpatch' -ex 'thread apply all backtrace' \
		>"$folder/output" 2>"$folder/errors" </dev/null ||
		{ cat "$folder/errors" >&2; fail "gdb $*"; }
}

has() {
	grep -q -e "$1" "$folder/output" || fail "$promise: no '$1'"
}

is_complete() {
	has '^Generation [0-9]*$'
	has '^Patches: 1$'
	has '^  fix-doze  active  7         1          0x'
	has '^Patchable functions: 2, replaced: 1$'
	has ' doze  *fix-doze$'
	has '^Tasks: 1$'
	has '^  thread  [0-9]*  *at rest$'
}

start() {
	rm -f "$folder/to" "$folder/from"
	mkfifo "$folder/to" "$folder/from"
	"$1" stay <"$folder/to" >"$folder/from" 2>"$folder/host" &
	pid=$!
	exec 3>"$folder/to"
	# Opened and read to its first line; end of file means it gave up.
	read -r ready <"$folder/from" || { cat "$folder/host" >&2; fail "no host"; }
	[ "$ready" = ready ] || fail "the host says $ready"
}

stop() {
	exec 3>&-
	wait "$pid" || true
	pid=
}

marks_frames() {
	has 'superseded, new calls run fix-doze'
	has '\[fix-doze, active\]'
}

start "$host"
promise="a live process"
look -p "$pid"
is_complete
marks_frames

promise="its core"
gdb -nx -batch -p "$pid" -ex "gcore $folder/core" >"$folder/output" 2>&1 ||
	fail "no core"
stop
look "$host" "$folder/core"
is_complete
marks_frames

promise="a stripped program"
strip -o "$folder/stripped" "$host"
start "$folder/stripped"
look -p "$pid"
is_complete
stop

promise="a program without the library"
gdb -nx -batch -x "$root/lib/tools/hotpatch-gdb.py" -ex 'info hotpatch' \
	/bin/true >"$folder/output" 2>&1 || true
has 'this program has no libhotpatch'
