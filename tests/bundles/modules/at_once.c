/* SPDX-License-Identifier: MIT */
/*
 * For the host and for a module that may come, call by call.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("at_once", 1, HOTPATCH_IMMEDIATE, 0);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}

HOTPATCH_REPLACE_IN("plugin.so", int, plugin_price, (int net))
{
	return net + 101;
}
