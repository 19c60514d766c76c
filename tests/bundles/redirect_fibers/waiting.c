/* SPDX-License-Identifier: MIT */
/*
 * Waits in the host, where a fiber may be left for as long as one likes.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("waiting", 1);

extern void wait_inside(void);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	wait_inside();
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}
