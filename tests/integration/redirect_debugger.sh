#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb and redirected functions: breakpoints that were there before, that come
# and go meanwhile, and that stay when the bytes are to be given back.
# Arguments: the command, which is not used, and the folder in which the tests
# were built.
set -eu

host=$2/test_integration_redirect_debugger_host
folder=$(mktemp -d /tmp/hotpatch-redirect-debugger-XXXXXX)
trap 'rm -rf "$folder"' EXIT

[ -x "$host" ] || {
	echo "this build cannot redirect"
	exit 77
}
command -v gdb >/dev/null || {
	echo "there is no gdb"
	exit 77
}
if [ -n "${ASAN_OPTIONS:-}${HOTPATCH_TEST_EMULATED:-}" ]; then
	echo "not under a sanitizer or an emulator"
	exit 77
fi

fail() {
	echo "failed: $promise: $*" >&2
	cat "$folder/output" >&2
	exit 1
}

# debug ARGUMENT...: the host's run under gdb
debug() {
	gdb -nx -batch -iex 'set auto-load off' \
		-iex 'set debuginfod enabled off' "$@" "$host" \
		>"$folder/output" 2>"$folder/errors" </dev/null ||
		{ cat "$folder/errors" >&2; fail "gdb $*"; }
}

# says STATUS STATUS: what redirecting and releasing answered; every call gave
# what it gives.
says() {
	for line in "before: OK" "redirect: $1" "redirected: OK" \
		"release: $2" "released: OK"; do
		grep -q "^$line, 2 and 3\$" "$folder/output" ||
			fail "no '$line'"
	done
	grep -q 'exited normally' "$folder/output" || fail "it did not end"
}

# hits COUNT: how often gdb stopped in the function
hits() {
	count=$(grep -c '^Breakpoint .* in debugged ()$' "$folder/output" ||
		true)
	[ "$count" -eq "$1" ] || fail "$count hits, not $1"
}

promise="a breakpoint behind the jump is met before, meanwhile and afterwards"
debug -ex 'break *debugged_body' -ex run -ex continue -ex continue \
	-ex continue -ex continue -ex continue
says OK OK
hits 5

promise="where a breakpoint is at the entry nothing is redirected"
debug -ex 'break *debugged' -ex run -ex continue -ex continue -ex continue \
	-ex continue -ex continue
says E_FOREIGN OK
hits 5

promise="a breakpoint at the entry of a redirected function works, and goes"
debug -ex 'break debugged_redirected' -ex run -ex 'break *debugged' \
	-ex continue -ex 'delete 2' -ex continue
says OK OK
hits 1

promise="a breakpoint on the jump keeps it from being taken back"
debug -ex 'break debugged_redirected' -ex 'break debugged_released' -ex run \
	-ex 'break *debugged' -ex continue -ex continue -ex continue \
	-ex 'delete 3' -ex continue
says OK E_FOREIGN
hits 2

promise="a breakpoint that is set behind the jump meanwhile stays when bytes are given back"
debug -ex 'break debugged_redirected' -ex run -ex 'break *debugged_body' \
	-ex continue -ex continue -ex continue -ex continue
says OK OK
hits 3

promise="a step through the entry of a redirected function ends in its body"
# shellcheck disable=SC2016 # the variable is gdb's
debug -ex 'break debugged_redirected' -ex run -ex 'break *debugged' \
	-ex continue -ex 'delete 2' -ex 'tbreak *debugged_body' \
	-ex 'stepi' -ex 'info symbol $pc' -ex continue -ex continue
says OK OK
hits 1
grep -q '^No symbol matches .pc' "$folder/output" ||
	fail "the step did not leave the function"
grep -q '^Temporary breakpoint .* in debugged ()$' "$folder/output" ||
	fail "the body was not reached"

promise="gdb finds the way from what was called by moved code to the caller"
debug -ex 'break debugged_redirected' -ex run -ex 'break debugged_leaf' \
	-ex continue -ex backtrace -ex 'delete 2' -ex continue
says OK OK
grep -q '^#[0-9]* .* main ()' "$folder/output" || fail "main is not there"
grep -q '^#[0-9]* .* tell (' "$folder/output" || fail "the caller is not there"
