#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A struct grows while its objects live: sessions that were opened before,
# while and after fix-session is active get a quota when it is, lose it when it
# is not, find it again, and leave nothing behind.
#
# usage: session.sh BUILD-DIRECTORY
set -eu

root=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$1/examples/paths.sh"
# shellcheck source=SCRIPTDIR/scenario.sh
. "$root/scenario.sh"

# answers WANTED PATH
answers() {
	answer=$(get "$2")
	[ "$answer" = "$1, versions 0 0: ${3:-}" ] ||
		fail "$2: wanted '$1, ${3:-}', got '$answer'"
}

# visit NUMBER VISIT [USED]: with the quota only while it is patched
visit() {
	answers 200 "/session/$1" "session $1, visit $2${3:+, $3 of 100}"
}

scenario_start 2
answers 200 /session/new "session 1"
answers 200 /session/new "session 2"
visit 1 1
visit 2 1
visit 1 2

# Opened before: the quota is attached.
hotpatch apply "$FIX_SESSION"
visit 1 3 1
visit 1 4 2
visit 2 2 1
answers 200 /sessions "2 sessions, 2 shadows"

# Opened while: the quota is in the new layout.
answers 200 /session/new "session 3"
visit 3 1 1
visit 3 2 2
answers 200 /sessions "3 sessions, 2 shadows"
i=2
while [ "$i" -lt 100 ]; do
	i=$((i + 1))
	visit 1 $((i + 2)) "$i"
done
answers 429 /session/1
answers 429 /session/1

# Taken back: everybody may come as often as they like again.
hotpatch revert fix-session
visit 1 103
visit 2 3
visit 3 3

# Opened after, and active again: each finds its own quota.
answers 200 /session/new "session 4"
visit 4 1
hotpatch apply "$FIX_SESSION"
answers 429 /session/1
visit 2 4 2
visit 3 4 3
visit 4 2 1
answers 200 /sessions "4 sessions, 3 shadows"

# What is attached goes with its session, whichever code runs then.
answers 200 /session/1/close
answers 404 /session/1
answers 200 /session/3/close
hotpatch revert fix-session
answers 200 /session/2/close
answers 200 /session/4/close
answers 200 /sessions "0 sessions, 0 shadows"
[ -z "$(hotpatch status | awk '$2 == "retained"')" ] || fail "code is retained"
