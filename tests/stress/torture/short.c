/* SPDX-License-Identifier: MIT */
/*
 * Sections that are so short that entering is what takes the time, by the
 * public header's own instructions.
 */
#include "torture.h"

#include <stddef.h>

#if UNDER_TSAN
#define HAS_BUFFER 0
#else
#define HAS_BUFFER 1
#endif

#define MUD_SIZE ((size_t)4 << 20)

static uint64_t mud[MUD_SIZE];

/*
 * Fills the CPU's store buffer with stores that take long, so that the next
 * announcement waits behind them while the loads after it go on: what a fence
 * or a membarrier is against.
 */
static void muddy(uint64_t *state)
{
	uint32_t count = HAS_BUFFER ? roll(state, 40) : 0;

	while (count-- > 0)
		/* Relaxed: nobody reads it. */
		hp_store_relaxed(&mud[roll(state, MUD_SIZE)], *state);
}

/* Many that are so short that enter is what takes the time. */
void short_sections(uint64_t *state)
{
	uint32_t count = 1 + roll(state, 200);
	uint64_t mark;
	int version;
	int other;

	while (count-- > 0) {
		mark = oracle_mark();
		muddy(state);
		hotpatch_enter();
		version = first_answer();
		linger();
		other = second_answer(1);
		if (other != version && oracle_is_strict(mark))
			fail("mixture: two versions in a short section",
			     version, other);
		hotpatch_leave();
	}
}

void *work_shortly(void *index)
{
	uint64_t state = options.seed + (uintptr_t)index;

	chance_start((unsigned int)(uintptr_t)index);
	while (!is_over()) {
		short_sections(&state);
		quiet_point(true);
	}
	return NULL;
}
