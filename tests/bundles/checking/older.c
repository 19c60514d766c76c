/* SPDX-License-Identifier: MIT */
/*
 * Knows only an older version of the state.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("older", 4);
HOTPATCH_STATE("prices", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
