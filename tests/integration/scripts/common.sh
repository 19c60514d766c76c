# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the scripts that run the hotpatch command have in common. They set
# $command and $directory before they include it, and $promise before each
# promise.
set -eu

# Set by who includes this file.
: "${command:?}" "${directory:?}"
output=$directory/output
errors=$directory/errors
promise=setup

fail() {
	echo "failed: $promise: $*" >&2
	[ ! -s "$output" ] || sed 's/^/  output: /' "$output" >&2
	[ ! -s "$errors" ] || sed 's/^/  errors: /' "$errors" >&2
	exit 1
}

# expect CODE ARGUMENT...: runs the command and compares its exit code.
expect() {
	wanted=$1
	shift
	code=0
	"$command" "$@" >"$output" 2>"$errors" </dev/null || code=$?
	[ "$code" -eq "$wanted" ] || fail "exit $code, not $wanted, of: $*"
}

has() {
	grep -q -e "$1" "$output" || fail "no '$1' in the output"
}

lacks() {
	! grep -q -e "$1" "$output" || fail "there is '$1' in the output"
}

# complains TEXT: the errors say so, and they are all that was said.
complains() {
	grep -q -e "$1" "$errors" || fail "no '$1' in the errors"
	[ ! -s "$output" ] || fail "there is output"
}

# tell WORD: has the host at descriptors 3 and 4 obey; prints what it answered.
tell() {
	echo "$1" >&3
	read -r reply <&4
	echo "$reply"
}
