/* SPDX-License-Identifier: MIT */
/*
 * Answers 4, after the host has let it go.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("blocking", 4);

extern void wait_inside(void);

HOTPATCH_REPLACE(int, first_version, (void))
{
	wait_inside();
	return 4;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 4;
}
