/* SPDX-License-Identifier: MIT */
/*
 * Of another type than the one that is known.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("typed", 1);

HOTPATCH_REDIRECT(long, plain, (long x))
{
	return x;
}
