/* SPDX-License-Identifier: MIT */
/*
 * Two names of one function.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("twice", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return x;
}

HOTPATCH_REDIRECT(int, plain_again, (int x))
{
	return x;
}
