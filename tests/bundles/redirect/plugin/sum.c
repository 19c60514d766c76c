/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("sum", 1);

HOTPATCH_REPLACE(int, plugin_sum, (int a, int b))
{
	return HOTPATCH_ORIGINAL(plugin_sum)(a, b) * 2;
}
