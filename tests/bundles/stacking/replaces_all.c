/* SPDX-License-Identifier: MIT */
/*
 * Takes over from whatever is active.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("replaces-all", 8);
HOTPATCH_REPLACES("*");

HOTPATCH_REPLACE(char, letter, (void))
{
	return 'R';
}
