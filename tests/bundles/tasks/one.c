/* SPDX-License-Identifier: MIT */
/*
 * Every function answers 1.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("one", 1);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 1;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 1;
}
