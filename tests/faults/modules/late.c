/* SPDX-License-Identifier: MIT */
/*
 * A module with patchable functions, to come while tasks disagree.
 */
#include <hotpatch/hotpatch.h>

HOTPATCH_API int late_price(int net);
HOTPATCH_API int late_tax(int net);

HOTPATCH_FUNCTION(int, late_price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(int, late_tax, (int net))
{
	return net + 2;
}
