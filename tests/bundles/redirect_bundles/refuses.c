/* SPDX-License-Identifier: MIT */
/*
 * Refuses when its functions are redirected already.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("refuses", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return x;
}

HOTPATCH_PREPARE(context)
{
	hotpatch_refuse(context, "not today");
}
