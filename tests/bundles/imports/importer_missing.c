/* SPDX-License-Identifier: MIT */
/*
 * Wants what the other bundle does not export.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("importer-missing", 1);

HOTPATCH_IMPORT_FROM("exporter", int, unknown);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what + HOTPATCH_IMPORTED(unknown);
}
