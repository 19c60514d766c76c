/* SPDX-License-Identifier: MIT */
/*
 * Replaces by its name what another bundle, or the host, redirects.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("by-name", 3);

HOTPATCH_REPLACE(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 400;
}
