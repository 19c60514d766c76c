/* SPDX-License-Identifier: MIT */
/*
 * Raises the price, and the check with it.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("first", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}

HOTPATCH_REPLACE(int, net_of, (int gross))
{
	return gross - 100;
}
