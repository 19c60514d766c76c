/* SPDX-License-Identifier: MIT */
/*
 * Its function registers what is to run at the end, which for a shared object
 * is when it is unloaded.
 */
#include <hotpatch/bundle.h>

#include <stdlib.h>

HOTPATCH_BUNDLE("exit", 10);

static int *place;

static void destroy(void)
{
	*place = 1;
}

HOTPATCH_REPLACE(void, leave_something, (int *destroyed))
{
	place = destroyed;
	atexit(destroy);
}
