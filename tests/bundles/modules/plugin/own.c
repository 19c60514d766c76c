/* SPDX-License-Identifier: MIT */
/*
 * Made for the module alone: it is the first target.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("own", 3);

HOTPATCH_REPLACE(int, plugin_price, (int net))
{
	return net + 301;
}
