/* SPDX-License-Identifier: MIT */
/*
 * For the library alone.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("own", 1);

HOTPATCH_REDIRECT(int, library_sum, (int a, int b))
{
	return HOTPATCH_ORIGINAL(library_sum)(a, b) + 300;
}
