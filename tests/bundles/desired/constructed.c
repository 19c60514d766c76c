/* SPDX-License-Identifier: MIT */
/*
 * Has a constructor that nobody asked for.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("constructed", 6);

static int built;

__attribute__((constructor)) static void build(void)
{
	built = 6;
}

HOTPATCH_REPLACE(int, number, (void))
{
	return built;
}
