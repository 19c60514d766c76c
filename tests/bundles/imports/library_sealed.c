/* SPDX-License-Identifier: MIT */
/*
 * Reaches statics of a library that has no table.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("library", 1);

HOTPATCH_IMPORT_IN("part.so", "part.c", volatile int, part_static);
HOTPATCH_IMPORT_TLS_IN("part.so", "part.c", long, part_local);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	if (what == LIBRARY)
		return ++HOTPATCH_IMPORTED(part_static);
	if (what == LIBRARY_TLS)
		return ++HOTPATCH_IMPORTED(part_local);
	return HOTPATCH_ORIGINAL(reach)(what);
}
