#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library's atomics are those of lib/atomic.h, and each ordered one has a
# comment near it, above or in the same function, that names its partner.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

if grep -rnE '__atomic_|__sync_|stdatomic|_Atomic' lib --include='*.[ch]' |
	grep -v '^lib/atomic.h:'; then
	fail "use lib/atomic.h"
fi

# shellcheck disable=SC2046
awk '
FNR == 1 { comment = -100; open = 0 }
/\/\*/ { open = 1; text = "" }
open { text = text " " $0 }
open && /\*\// {
	open = 0
	if (tolower(text) ~ /pair|partner|release|acquire|order|barrier/)
		comment = FNR
	next
}
open { next }
/hp_(load_acquire|store_release|exchange_fenced|replace)\(/ {
	if (FNR - comment > 25) {
		print FILENAME ":" FNR ": no comment names the partner"
		bad = 1
	}
}
END { exit bad }
' $(find lib -name '*.c' -o -name '*.h' ! -name atomic.h | sort)
