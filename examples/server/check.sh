#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the server's two bundles do, without load: fix-two mends the leak,
# fix-all takes over from it and mends the item's number too, and taking
# fix-all back restores the original, not fix-two.
#
# usage: check.sh BUILD-DIRECTORY
set -eu

root=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$1/examples/paths.sh"
# shellcheck source=SCRIPTDIR/scenario.sh
. "$root/scenario.sh"

text="item 2: one candle, 24 in stock, price 170"
note=" [private: supplier asks 62]"

# answers WANTED PATH [RANGE]
answers() {
	wanted=$1
	path=$2
	shift 2
	answer=$(get "$path" ${1:+--range "$1"})
	[ "$answer" = "$wanted" ] ||
		fail "$path ${1:-}: wanted '$wanted', got '$answer'"
}

state() {
	hotpatch status | awk -v name="$1" '$1 == name { print $2 }'
}

original() {
	answers "206, versions 1 1: $text$note" /item/2 0-99
	answers "200, versions 1 1: $text" /item/2junk
}

scenario_start 2
original

hotpatch apply "$FIX_TWO"
answers "206, versions 2 2: $text" /item/2 0-99
answers "206, versions 2 2: candle" /item/2 12-17
answers "416, versions 0 0: no such range" /item/2 9-5
answers "200, versions 2 2: $text" /item/2junk

hotpatch apply "$FIX_ALL"
answers "206, versions 3 3: $text" /item/2 0-99
answers "404, versions 0 0: no such item" /item/2junk
answers "200, versions 3 3: $text" /item/2
[ "$(state fix-all)" = active ] || fail "fix-all is $(state fix-all)"
[ "$(state fix-two)" != active ] || fail "fix-two is still active"

hotpatch revert fix-all
original
