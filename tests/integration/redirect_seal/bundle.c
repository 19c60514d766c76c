/* SPDX-License-Identifier: MIT */
/*
 * One bundle in many variations.
 */
#include "shared.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("varied", 1);

HOTPATCH_REDIRECT(int, weigh, (struct item * item, PARAMETER count))
{
	return HOTPATCH_ORIGINAL(weigh)(item, count) + (int)item->size;
}

#ifdef STATIC
HOTPATCH_REDIRECT_STATIC("host.c", int, check, (int value))
{
	return HOTPATCH_ORIGINAL(check)(value) + 1;
}
#endif
#ifdef OTHER_FILE
HOTPATCH_REDIRECT_STATIC("more.c", int, check, (int value))
{
	return value;
}
#endif
#ifdef TWIN
HOTPATCH_REDIRECT_STATIC(TWIN, int, twin, (int value))
{
	return value;
}
#endif
#ifdef DISSOLVED
HOTPATCH_REDIRECT(int, dissolved, (int value))
{
	return value;
}
#endif
#ifdef MISSING
HOTPATCH_REDIRECT(int, no_such_function, (int value))
{
	return value;
}
#endif
#ifdef PREPARED
HOTPATCH_REDIRECT(int, ready, (int value))
{
	return value;
}
#endif
#ifdef SMALL
HOTPATCH_REDIRECT(int, small, (int value))
{
	return value;
}
#endif
#ifdef LOOPS
HOTPATCH_REDIRECT(int, loops, (int value))
{
	return value;
}
#endif
