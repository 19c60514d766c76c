/* SPDX-License-Identifier: MIT */
/*
 * One that no canary can have.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("immediate", 1, HOTPATCH_IMMEDIATE, 0);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 4;
}
