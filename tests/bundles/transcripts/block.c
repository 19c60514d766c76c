/* SPDX-License-Identifier: MIT */
/*
 * Has a constructor that wants a lock of the host.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("block", 9, HOTPATCH_PER_TASK, HOTPATCH_FLAG_CONSTRUCTORS);

void take_host_lock(void);

__attribute__((constructor)) static void begin(void)
{
	take_host_lock();
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 900;
}
