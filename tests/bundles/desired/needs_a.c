/* SPDX-License-Identifier: MIT */
/*
 * Comes only where "a" is.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("needs-a", 3);
HOTPATCH_REQUIRES("a");

HOTPATCH_REPLACE(int, number, (void))
{
	return 3;
}
