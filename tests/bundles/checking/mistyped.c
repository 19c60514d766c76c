/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("mistyped", 3);
HOTPATCH_IMPORT_FROM("exporter", long(long), half);

extern int prepared;

HOTPATCH_PREPARE(context)
{
	(void)context;
	prepared++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return (int)HOTPATCH_IMPORTED(half)(net);
}
