/* SPDX-License-Identifier: MIT */
/*
 * Takes over from the three others.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("all", 4);
HOTPATCH_REPLACES("first");
HOTPATCH_REPLACES("second");
HOTPATCH_REPLACES("third");

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 400;
}
