/* SPDX-License-Identifier: MIT */
/*
 * Another module, with functions of the same names as the first.
 */
#include <hotpatch/hotpatch.h>

HOTPATCH_FUNCTION(int, plugin_price, (int net))
{
	return net + 2;
}

HOTPATCH_FUNCTION(int, plugin_stock, (void))
{
	return 2;
}
