/* SPDX-License-Identifier: MIT */
/*
 * Puts steps into the inline enter of the public header, by its own means: the
 * announcement is a macro of the CPU's header, which is taken in first. Where
 * enter always takes the slow path there is nothing to do.
 */
#ifndef TORTURE_HEADER_H
#define TORTURE_HEADER_H

#include "../../../lib/step.h"

/* Nothing that hp_store_announced() keeps back is left, nor will be until the
 * next section (buffer.c). */
void buffer_give_up(void);

#if !defined(HP_FENCED)
#if defined(__x86_64__)
#include <hotpatch/arch/x86_64.h>
#elif defined(__aarch64__)
#include <hotpatch/arch/aarch64.h>
#endif

static inline int header_publish(uint64_t *seen, uint32_t *depth,
				 const uint64_t *entrance,
				 const uint64_t *generation)
{
	uint64_t view;

	if (!HP_KEEP(HEADER_DEPTH))
		*depth = 0;
	view = __atomic_load_n(entrance, __ATOMIC_ACQUIRE);
	hp_step(VIEW_READ);
	hp_store_announced(seen, view);
	__asm__ volatile("" ::: "memory");
	hp_step(ANNOUNCED);
	if (!HP_KEEP(HEADER_RECHECK) ||
	    view == __atomic_load_n(generation, __ATOMIC_ACQUIRE))
		return 1;
	/* The slow path wants the thread's own record, and may sleep. */
	buffer_give_up();
	return 0;
}

#ifdef TORTURE_STEPS_IN_HEADER
#undef HOTPATCH_ARCH_PUBLISH
#define HOTPATCH_ARCH_PUBLISH(place, entrance, generation)                     \
	header_publish(&(place), &self->depth, &(entrance), &(generation))
#endif
#endif

#endif
