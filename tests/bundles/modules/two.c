/* SPDX-License-Identifier: MIT */
/*
 * For two modules that have functions of the same names.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("two", 2);

HOTPATCH_REPLACE_IN("plugin.so", int, plugin_price, (int net))
{
	return net + 201;
}

HOTPATCH_REPLACE_IN("second.so", int, plugin_stock, (void))
{
	return 202;
}
