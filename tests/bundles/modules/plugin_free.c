/* SPDX-License-Identifier: MIT */
/*
 * Replaces nothing in any module, although it names their builds.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("plugin-free", 4);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 400;
}
