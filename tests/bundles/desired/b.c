/* SPDX-License-Identifier: MIT */
/*
 * One of two patches of the same function.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("b", 2);

HOTPATCH_REPLACE(char, letter, (void))
{
	return 'B';
}
