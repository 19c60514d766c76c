/* SPDX-License-Identifier: MIT */
/*
 * Does not say what it is for.
 */
#undef HOTPATCH_TARGET_BUILD_ID
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("no-target", 7);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
