#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# No script has a fault that shellcheck knows, and all stop at an error.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

bad=0
while read -r file; do
	shellcheck -x "$file" || bad=1
	grep -q -e '^set -eu' -e 'common\.sh"' "$file" || {
		echo "$file: goes on after errors"
		bad=1
	}
done < <(sources '*.sh' run)
exit $bad
