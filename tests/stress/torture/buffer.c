/* SPDX-License-Identifier: MIT */
/*
 * A store buffer that drains late. A CPU may let a store wait while the loads
 * that follow it go on, and none says for how long; hardware drains it within
 * a microsecond, so what a missing barrier lets through shows on few of a
 * million sections. Here the announcement of a section waits until a barrier
 * makes every thread pass a fence, or the section ends, or a millisecond or two
 * are over. Meanwhile the thread itself sees it, and nobody else does.
 *
 * Exchanges do not wait, and order what comes before them: they do not come
 * here (lib/step.h).
 */
#define TORTURE_STEPS_IN_HEADER
#include "torture.h"

#include <sched.h>
#include <string.h>

#define LONGEST_NS 2000000

static uint32_t turn; /* odd while the thread's buffer is in use */
static uint32_t fences;

/* What the one thread that has a buffer knows of its announcement. */
static __thread bool has_buffer __attribute__((tls_model("initial-exec")));
static __thread uint64_t *place __attribute__((tls_model("initial-exec")));
static __thread struct hotpatch_task own_view;
static __thread struct hotpatch_task *real_self;

void hp_step_store(uint64_t *to, uint64_t value)
{
	if (!has_buffer) {
		hp_store_relaxed(to, value); /* as it would be without */
		return;
	}
	if (!place)
		real_self = hotpatch_self;
	place = to;
	own_view.seen = value;
	hotpatch_self = &own_view; /* for hotpatch_dispatch */
}

static void drain(void)
{
	if (!place)
		return;
	hotpatch_self = real_self;
	/* Fenced: it is out when the turn is given back. */
	hp_exchange_fenced(place, own_view.seen);
	place = NULL;
}

/* Fenced pairs with buffer_fence(): either that one finds the turn taken, or
 * the section that follows finds what was done before the fence. */
static void take_turn(void)
{
	has_buffer = true;
	hp_add_fenced(&turn, 1);
}

void buffer_give_up(void)
{
	if (!has_buffer)
		return;
	drain();
	has_buffer = false;
	hp_add_fenced(&turn, 1); /* as above */
}

void buffer_fence(void)
{
#ifndef HP_FENCED /* there is no membarrier then */
	uint32_t found = hp_load_fenced(&turn); /* in take_turn() */

	if (!(found & 1) || has_buffer)
		return;
	hp_add_fenced(&fences, 1);
	while (hp_load_acquire(&turn) ==
	       found) /* pairs with buffer_give_up() */
		sched_yield();
#endif
}

void buffer_abandon(void)
{
	turn = 0;
}

/* Somewhere in the section, or within hotpatch_dispatch. */
void buffer_wait(uint64_t *state)
{
	uint32_t seen = hp_load_relaxed(&fences); /* only the number counts */
	uint64_t until;

	if (!place)
		return;
	until = now_ns() + roll(state, LONGEST_NS);
	while (hp_load_relaxed(&fences) == seen && now_ns() < until)
		sched_yield();
}

bool buffer_is_in_use(void)
{
	return place != NULL;
}

/* The slow path announces what a canary has for the task; one that may sleep at
 * a meeting must keep nothing back. */
static bool goes_slowly(uint64_t *state)
{
	return roll(state, 2) &&
	       !(options.only && strstr(options.only, "meet"));
}

static void buffered_section(uint64_t *state)
{
	uint32_t depth = hotpatch_self->depth;
	struct section section;

	if (goes_slowly(state))
		hotpatch_self->depth |= ALWAYS_SLOW;
	take_turn();
	section_enter(&section);
	oracle_check(&section, first_answer());
	buffer_wait(state);
	buffer_give_up();
	linger();
	oracle_check(&section, second_answer(1));
	oracle_check(&section, third_answer(2));
	section_leave(&section);
	hotpatch_self->depth = depth;
}

void *work_buffered(void *index)
{
	uint64_t state = options.seed + (uintptr_t)index;

	chance_start((unsigned int)(uintptr_t)index);
	become_task();
	while (!is_over()) {
		buffered_section(&state);
		quiet_point(true);
	}
	return NULL;
}
