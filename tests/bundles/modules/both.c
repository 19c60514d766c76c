/* SPDX-License-Identifier: MIT */
/*
 * For the host and for two modules that may come and go.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("both", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}

HOTPATCH_REPLACE(int, net_of, (int gross))
{
	return gross - 100;
}

HOTPATCH_REPLACE_IN("plugin.so", int, plugin_price, (int net))
{
	return net + 101;
}
