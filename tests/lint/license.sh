#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every source file begins with its licence; in scripts, after the line that
# names the interpreter.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

bad=0
while read -r file; do
	case $file in
	*.sh | *.py | ./.ci/* | *.cmake | *.in | *.txt | *Makefile) begin='# ' ;;
	*) begin='/\* ' ;;
	esac
	head -2 "$file" | grep -q "^$begin\?SPDX-License-Identifier: MIT" || {
		echo "$file: no SPDX line"
		bad=1
	}
done < <(sources '*.c' '*.h' '*.cc' '*.S' '*.sh' '*.py' '*.cmake' Makefile \
	CMakeLists.txt '*.cmake.in' '*.h.in' run | sed 's,^./.*\.h\.in$,&,' |
	grep -v -e '\.h\.in$')
head -1 include/hotpatch/version.h.in | grep -q SPDX || bad=1
exit $bad
