/* SPDX-License-Identifier: MIT */
/*
 * Comes on top of the other.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("over", 2);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 20;
}
