/* SPDX-License-Identifier: MIT */
/*
 * Has a constructor that counts its runs in the host, and does not say so.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("constructor", 6);

extern int constructed;

__attribute__((constructor)) static void begin(void)
{
	constructed++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 600;
}
