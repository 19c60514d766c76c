/* SPDX-License-Identifier: MIT */
/*
 * For a module that may come after it.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("late", 5);

HOTPATCH_REPLACE_IN("plugin.so", int, plugin_price, (int net))
{
	return net + 500;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 500;
}
