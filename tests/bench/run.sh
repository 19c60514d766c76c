#!/bin/sh
# SPDX-License-Identifier: MIT
#
# All benchmarks in one run, side by side with what Debian has of the kind:
# builds the release preset and measures in rounds that go through everything,
# so that what drifts meanwhile drifts for all. Prints the tables; leaves them
# in build/bench, as results.json and as a plot of each.
#
# usage: run.sh [--rounds N] [--output FOLDER] [--build FOLDER] [--quick]
#
# --build takes what was built there already. --quick is for the suite: two
# short rounds, of which only the form is judged. Exit status 77 without what
# it needs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=
programs=bench
case " $* " in
*" --build "*) ;;
*) build=$root/build/release ;;
esac
case " $* " in
*" --quick "*) programs=bench_quick ;;
esac

python3 -c '' 2>/dev/null || {
	echo "run.sh: python3 is missing"
	exit 77
}
if [ -n "$build" ]; then
	(cd "$root" && cmake --preset release >/dev/null &&
		cmake --build --preset release --target "$programs")
	set -- --build "$build" "$@"
fi
exec python3 -B "$here/run.py" --output "$root/build/bench" "$@"
