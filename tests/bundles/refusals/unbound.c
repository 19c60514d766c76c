/* SPDX-License-Identifier: MIT */
/*
 * Calls a function that is nowhere.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("unbound", 13);

int price_of_nowhere(int net);

HOTPATCH_REPLACE(int, price, (int net))
{
	return price_of_nowhere(net);
}
