/* SPDX-License-Identifier: MIT */
/*
 * One of two patches of the same function.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("a", 1);

HOTPATCH_REPLACE(char, letter, (void))
{
	return 'A';
}
