/* SPDX-License-Identifier: MIT */
/*
 * Reaches what the host does not export, and counts in it.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("all", 1);

HOTPATCH_IMPORT(int, open_count);
HOTPATCH_IMPORT(int(int), twice);
HOTPATCH_IMPORT_STATIC("imports.c", volatile int, hidden_count);
HOTPATCH_IMPORT_STATIC("imports.c", struct record[3], records);
HOTPATCH_IMPORT_STATIC("imports.c", int(struct record *, int), hidden_sum);
HOTPATCH_IMPORT_STATIC("imports.c", int(int), patchable);
HOTPATCH_IMPORT_TLS("imports.c", long, hidden_tls);
HOTPATCH_IMPORT_TLS("", long, exported_tls);
#define hidden_count HOTPATCH_IMPORTED(hidden_count)

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	switch (what) {
	case COUNT:
		return ++HOTPATCH_IMPORTED(open_count);
	case TWICE:
		return HOTPATCH_IMPORTED(twice)(21);
	case STATIC:
		return ++hidden_count;
	case TABLE:
		return HOTPATCH_IMPORTED(records)[2].number;
	case FUNCTION:
		return HOTPATCH_IMPORTED(hidden_sum)(HOTPATCH_IMPORTED(records),
						     3);
	case ENTRY:
		return HOTPATCH_IMPORTED(patchable)(5);
	case TLS:
		return ++HOTPATCH_IMPORTED(hidden_tls);
	case EXPORTED_TLS:
		return ++HOTPATCH_IMPORTED(exported_tls);
	default:
		return -1;
	}
}

HOTPATCH_REPLACE(const void *, where, (enum what what))
{
	switch (what) {
	case COUNT:
		return &HOTPATCH_IMPORTED(open_count);
	case STATIC:
		return (const void *)&hidden_count;
	case TABLE:
		return HOTPATCH_IMPORTED(records);
	case TLS:
		return &HOTPATCH_IMPORTED(hidden_tls);
	case EXPORTED_TLS:
		return &HOTPATCH_IMPORTED(exported_tls);
	default:
		return HOTPATCH_ORIGINAL(where)(what);
	}
}
