/* SPDX-License-Identifier: MIT */
/*
 * Knows of no state, but wants to replace those that do.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("all_unaware", 8);
HOTPATCH_REPLACES("*");

HOTPATCH_PREPARE(context)
{
	hotpatch_refuse(context, "it ought not to be asked");
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 800;
}
