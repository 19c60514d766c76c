/* SPDX-License-Identifier: MIT */
/*
 * Wants an ordinary variable as a thread-local one.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("not-tls", 1);

HOTPATCH_IMPORT_TLS("", int, open_count);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what + HOTPATCH_IMPORTED(open_count);
}
