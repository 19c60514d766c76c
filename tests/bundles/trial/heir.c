/* SPDX-License-Identifier: MIT */
/*
 * Takes the place of the patch on probation.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("heir", 4);
HOTPATCH_REPLACES("fix");

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 40;
}
