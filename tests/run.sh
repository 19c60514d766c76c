#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The whole suite: installs what is missing, builds with gcc, with clang, and
# with the sanitizers, and runs all tests of all builds in one ctest, whose
# closing line is the last line here. Arguments go to ctest: tests/run.sh -L
# unit.

set -eu

cd "$(dirname "$0")/.."
presets="dev clang asan tsan"
all=build/all

say()
{
	echo "== $*"
}

# build PRESET: quiet unless it fails
build()
{
	say "building $1"
	log=build/$1.log
	mkdir -p build
	{
		cmake --preset "$1" && cmake --build --preset "$1"
	} >"$log" 2>&1 || {
		grep -A20 -e FAILED -e 'CMake Error' "$log" || tail -50 "$log"
		say "$1 does not build; see $log"
		return 1
	}
}

tests/install-packages.sh
for preset in $presets; do
	build "$preset"
done

# A folder for ctest that has the tests of every build.
mkdir -p $all
for preset in $presets; do
	echo "subdirs(\"$PWD/build/$preset\")"
done >$all/CTestTestfile.cmake

say "testing"
log=build/tests.log
result=0
{
	ctest --test-dir $all -j "$(nproc)" --output-on-failure \
		--no-tests=error "$@" || echo $? >$all/failed
} 2>&1 | tee $log
if [ -e $all/failed ]; then
	rm $all/failed
	result=1
fi

say "summary"
for preset in $presets; do
	echo "$preset: $(ctest --test-dir "build/$preset" -N "$@" |
		sed -n 's/^Total Tests: //p') tests"
done
echo "$(grep -c '\*\*\*Skipped' $log || true) skipped"
grep 'tests passed' $log | tail -1
exit $result
