/* SPDX-License-Identifier: MIT */
/*
 * Imports what the host exports; needs no seal.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("plain", 1);

HOTPATCH_IMPORT(int, open_count);
HOTPATCH_IMPORT(int(int), twice);
HOTPATCH_IMPORT_TLS("", long, exported_tls);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	switch (what) {
	case COUNT:
		return ++HOTPATCH_IMPORTED(open_count);
	case TWICE:
		return HOTPATCH_IMPORTED(twice)(21);
	case EXPORTED_TLS:
		return ++HOTPATCH_IMPORTED(exported_tls);
	default:
		return HOTPATCH_ORIGINAL(reach)(what);
	}
}
