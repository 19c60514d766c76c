/* SPDX-License-Identifier: MIT */
/*
 * Uses what the other bundle exports. If it is prepared, it says so.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("importer", 2);
HOTPATCH_IMPORT_FROM("exporter", int(int), half);

extern int prepared;

HOTPATCH_PREPARE(context)
{
	(void)context;
	prepared++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return HOTPATCH_IMPORTED(half)(net);
}
