#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The manual page has no fault that groff or mandoc knows, and tells of every
# command and option that the command's own summary has.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

bad=0
page=lib/tools/hotpatch.1
faults=$({
	man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null
	mandoc -T lint "$page"
} || true)
[ -z "$faults" ] || {
	echo "$faults"
	bad=1
}
entries=$(sed -n 's/\\-/-/g; /^\.B/p' "$page")
while read -r word; do
	grep -q -e "[ \"]$word\b" <<<"$entries" || {
		echo "$page: $word is missing"
		bad=1
	}
done < <(sed -n '/^static const char usage/,/;$/p' lib/tools/main.c |
	grep -o -e '--[a-z][a-z-]*' -e '^	"  [a-z][a-z-]* ' | tr -d '"	 ' |
	sort -u)
exit $bad
