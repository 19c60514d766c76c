/* SPDX-License-Identifier: MIT */
/*
 * Takes the other bundle's variable for another type.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("importer-mistyped", 1);

HOTPATCH_IMPORT_FROM("exporter", long, shared);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what + HOTPATCH_IMPORTED(shared);
}
