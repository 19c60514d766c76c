#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The manual pages have no fault that groff or mandoc knows. That of the command
# tells of every command and option in the command's own summary, that of the
# library of every function that it exports.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

bad=0
page=lib/tools/hotpatch.1
overview=lib/hotpatch.3
for each in "$page" "$overview"; do
	faults=$({
		man --warnings -E UTF-8 -l -Tutf8 -Z "$each" 2>&1 >/dev/null
		mandoc -T lint "$each"
	} || true)
	[ -z "$faults" ] || {
		echo "$faults"
		bad=1
	}
done
entries=$(sed -n 's/\\-/-/g; /^\.B/p' "$page")
while read -r word; do
	grep -q -e "[ \"]$word\b" <<<"$entries" || {
		echo "$page: $word is missing"
		bad=1
	}
done < <(sed -n '/^static const char usage/,/;$/p' lib/tools/main.c |
	grep -o -e '--[a-z][a-z-]*' -e '^	"  [a-z][a-z-]* ' | tr -d '"	 ' |
	sort -u)
# The header's inline functions and macros call these; nobody else does.
internal='_slow$|^hotpatch_dispatch$|^hotpatch_module_|^hotpatch_restart_'
while read -r function; do
	grep -q -e "\b$function *()" "$overview" || {
		echo "$overview: $function is missing"
		bad=1
	}
done < <(grep -h -o 'hotpatch_[a-z_]*(' include/hotpatch/*.h* | tr -d '(' |
	sort -u | grep -E -f <(sed -n 's/^\t*\(hotpatch_[a-z_*]*\);.*/^\1$/p' \
		lib/hotpatch.map) | grep -v -E "$internal")
exit $bad
