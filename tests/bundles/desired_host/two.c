/* SPDX-License-Identifier: MIT */
/*
 * The second of two fixes.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("fix-two", 2);

HOTPATCH_REPLACE(int, question, (void))
{
	return 43;
}
