/* SPDX-License-Identifier: MIT */
/*
 * The patch that is on probation.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("fix", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 10;
}
