/* SPDX-License-Identifier: MIT */
/*
 * Has a constructor that nobody asked for.
 */
#include <hotpatch/bundle.h>

#include <stdlib.h>

HOTPATCH_BUNDLE("constructor", 12);

__attribute__((constructor)) static void begin(void)
{
	abort();
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
