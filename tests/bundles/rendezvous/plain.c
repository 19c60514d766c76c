/* SPDX-License-Identifier: MIT */
/*
 * Each task by itself, instead of whatever there is.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("plain", 2);
HOTPATCH_REPLACES("*");

HOTPATCH_REPLACE(int, unit, (void))
{
	return 1;
}
