/* SPDX-License-Identifier: MIT */
/*
 * Wants a thread-local variable as an ordinary one.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("as-plain", 1);

HOTPATCH_IMPORT_IN("", "", long, exported_tls);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what + HOTPATCH_IMPORTED(exported_tls);
}
