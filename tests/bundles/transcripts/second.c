/* SPDX-License-Identifier: MIT */
/*
 * Raises the price once more.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("second", 2);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 200;
}
