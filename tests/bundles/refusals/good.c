/* SPDX-License-Identifier: MIT */
/*
 * Fits the host.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("good", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}

HOTPATCH_REPLACE_STATIC("refusals.c", int, local, (int a))
{
	return a + 100;
}
