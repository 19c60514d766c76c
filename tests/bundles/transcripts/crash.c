/* SPDX-License-Identifier: MIT */
/*
 * Has a constructor that crashes.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("crash", 8, HOTPATCH_PER_TASK, HOTPATCH_FLAG_CONSTRUCTORS);

__attribute__((constructor)) static void begin(void)
{
	__builtin_trap();
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 800;
}
