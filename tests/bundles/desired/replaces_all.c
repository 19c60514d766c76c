/* SPDX-License-Identifier: MIT */
/*
 * Takes the place of all others.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("all", 4);
HOTPATCH_REPLACES("*");

HOTPATCH_REPLACE(int, number, (void))
{
	return 4;
}
