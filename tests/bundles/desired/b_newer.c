/* SPDX-License-Identifier: MIT */
/*
 * The next version of "b".
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("b", 7);

HOTPATCH_REPLACE(char, letter, (void))
{
	return 'N';
}
