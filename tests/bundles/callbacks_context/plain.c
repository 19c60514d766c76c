/* SPDX-License-Identifier: MIT */
/*
 * Without callbacks.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("plain", 4);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 400;
}
