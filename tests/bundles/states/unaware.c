/* SPDX-License-Identifier: MIT */
/*
 * Knows of no state, and stands beside those that do.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("unaware", 7);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 700;
}
