/* SPDX-License-Identifier: MIT */
/*
 * Wants the patch "a" to be active.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("requires", 5);
HOTPATCH_REQUIRES("a");

HOTPATCH_REPLACE(int, number, (void))
{
	return 5;
}
