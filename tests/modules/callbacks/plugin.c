/* SPDX-License-Identifier: MIT */
/*
 * A module with a table, whose own constructor calls its patchable function.
 */
#include <hotpatch/hotpatch.h>

extern int plugin_constructed_with;

HOTPATCH_FUNCTION(int, plugin_price, (int net))
{
	return net + 1;
}

__attribute__((constructor)) static void construct(void)
{
	plugin_constructed_with = plugin_price(0);
}
