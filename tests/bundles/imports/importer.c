/* SPDX-License-Identifier: MIT */
/*
 * Uses a function and a variable of another bundle.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("importer", 1);

HOTPATCH_IMPORT_FROM("exporter", int(int), plus_shared);
HOTPATCH_IMPORT_FROM("exporter", int, shared);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what +
	       HOTPATCH_IMPORTED(plus_shared)(++HOTPATCH_IMPORTED(shared));
}
