/* SPDX-License-Identifier: MIT */
/*
 * Has another type for a function than the host.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("prototype", 3);

HOTPATCH_REPLACE(int, stock, (void))
{
	return 3;
}

HOTPATCH_REPLACE(int, price, (long net))
{
	return (int)net;
}
