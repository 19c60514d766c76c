/* SPDX-License-Identifier: MIT */
/*
 * One function that can be redirected, and one that cannot.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("loops", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return x;
}

HOTPATCH_REDIRECT(int, loops_first, (int x))
{
	return x;
}
