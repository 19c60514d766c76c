/* SPDX-License-Identifier: MIT */
/*
 * A module with a table of its own, whose constructor already calls it.
 */
#include <hotpatch/hotpatch.h>

extern int plugin_at_start;

HOTPATCH_FUNCTION(int, plugin_price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(int, plugin_stock, (void))
{
	return 1;
}

int plugin_at_start;

__attribute__((constructor)) static void begin(void)
{
	plugin_at_start = plugin_price(0);
}
