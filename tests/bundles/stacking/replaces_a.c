/* SPDX-License-Identifier: MIT */
/*
 * Takes over from the patch "a", although it also excludes it, and has another
 * function than that one.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("replaces-a", 7);
HOTPATCH_REPLACES("a");
HOTPATCH_CONFLICTS("a");

HOTPATCH_REPLACE(int, number, (void))
{
	return 7;
}
