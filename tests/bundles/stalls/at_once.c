/* SPDX-License-Identifier: MIT */
/*
 * Every function answers 6, to every call from the next one on.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("at_once", 6, HOTPATCH_IMMEDIATE, 0);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 6;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 6;
}
