/* SPDX-License-Identifier: MIT */
/*
 * A patch of another function.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("other", 2);

HOTPATCH_REPLACE(int, stock, (void))
{
	return 30;
}
