/* SPDX-License-Identifier: MIT */
/*
 * Cannot be active together with the patch "a".
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("conflicts", 6);
HOTPATCH_CONFLICTS("a");

HOTPATCH_REPLACE(int, number, (void))
{
	return 6;
}
