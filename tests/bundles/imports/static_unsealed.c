/* SPDX-License-Identifier: MIT */
/*
 * Wants a static, which only a seal finds.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("static-unsealed", 1);

HOTPATCH_IMPORT_STATIC("imports.c", volatile int, hidden_count);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what + HOTPATCH_IMPORTED(hidden_count);
}
