/* SPDX-License-Identifier: MIT */
/*
 * Of another type than the one that the host gave when it redirected.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("long", 3);

HOTPATCH_REPLACE(long, plain, (long x))
{
	return x;
}
