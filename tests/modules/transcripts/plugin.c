/* SPDX-License-Identifier: MIT */
/*
 * A module with a table of its own.
 */
#include <hotpatch/hotpatch.h>

HOTPATCH_FUNCTION(int, plugin_price, (int net))
{
	return net + 1;
}
