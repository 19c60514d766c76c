/* SPDX-License-Identifier: MIT */
/*
 * The first of two fixes.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("fix-one", 1);

HOTPATCH_REPLACE(int, answer, (void))
{
	return 42;
}
