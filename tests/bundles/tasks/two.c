/* SPDX-License-Identifier: MIT */
/*
 * Every function answers 2.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("two", 2);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 2;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 2;
}
