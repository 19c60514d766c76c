#!/bin/sh
# SPDX-License-Identifier: MIT
#
# coverage.sh SOURCE BUILD - runs all tests of a build with HOTPATCH_COVERAGE
# and prints which lines and which branches of lib/ they reached; the lines that
# none reached are named with each file. What is left of earlier runs does not
# count.

set -eu

source=$1
build=$2
trace=$build/coverage.json

command -v gcovr >/dev/null || {
	echo "gcovr is not installed"
	exit 1
}

# report OPTION...: a table of the trace
report()
{
	gcovr --root "$source" --add-tracefile "$trace" "$@"
}

find "$build" -name '*.gcda' -exec rm {} +
result=0
ctest --test-dir "$build" -j "$(nproc)" --output-on-failure || result=$?
# A thread that counts while another process adds its counts up may leave a
# branch with less than none.
gcovr --root "$source" --filter "$source/lib/" --object-directory "$build" \
	--gcov-ignore-parse-errors --json "$trace" "$build"
report --txt "$build/coverage-lines.txt"
report --branches --txt "$build/coverage-branches.txt"
cat "$build/coverage-lines.txt" "$build/coverage-branches.txt"
exit $result
