/* SPDX-License-Identifier: MIT */
/*
 * Each call sees the newest.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("immediate", 1, HOTPATCH_IMMEDIATE, 0);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}
