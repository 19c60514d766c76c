/* SPDX-License-Identifier: MIT */
/*
 * One of three patches of the same function.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("c", 3);

HOTPATCH_REPLACE(char, letter, (void))
{
	return 'C';
}
