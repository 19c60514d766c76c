/* SPDX-License-Identifier: MIT */
/*
 * Changes a function that the others leave alone.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("third", 3);

HOTPATCH_REPLACE(int, stock, (void))
{
	return 30;
}
