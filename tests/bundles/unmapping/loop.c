/* SPDX-License-Identifier: MIT */
/*
 * A main loop that is itself replaced: its section is the bundle's.
 */
#include <hotpatch/bundle.h>
#include <hotpatch/section.h>

HOTPATCH_BUNDLE("loop", 4);

HOTPATCH_REPLACE(void, run_loop, (const uint32_t *stop, uint64_t *rounds))
{
	hotpatch_enter();
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		hotpatch_safe_point();
		__atomic_fetch_add(&rounds[1], 1, __ATOMIC_RELAXED);
	}
	hotpatch_leave();
}
