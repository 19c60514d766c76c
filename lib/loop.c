/* SPDX-License-Identifier: MIT */
/*
 * The places of the threads that serve in loops. One that finds no place is a
 * thread like any other.
 */
#include "loop.h"

#include "atomic.h"

#include <hotpatch/section.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLACES 8

/* @seen: generation at the last top of its loop */
static struct {
	int thread; /* 0 if the place is free */
	uint64_t seen;
} places[PLACES];

static __thread unsigned int mine __attribute__((tls_model("initial-exec")));

void hp_loop_begin(void)
{
	int self = (int)syscall(SYS_gettid);
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		/* Pairs with the release in hp_loop_end(). */
		if (!hp_replace(&places[i].thread, 0, self))
			continue;
		mine = i + 1;
		return;
	}
}

void hp_loop_pass(void)
{
	if (!mine)
		return;
	/*
	 * Acquire: the targets of that generation, before the calls of the turn
	 * that begins. Release: the calls of the turn that is over, before what
	 * says so. The second pairs with the acquire in hp_loop_has_passed(),
	 * after which code is unmapped.
	 */
	hp_store_release(&places[mine - 1].seen,
			 hp_load_acquire(&hotpatch_generation));
}

void hp_loop_end(void)
{
	if (!mine)
		return;
	/* Relaxed: the release below comes after it. */
	hp_store_relaxed(&places[mine - 1].seen, 0);
	/* Release: pairs with the replacement in hp_loop_begin(). */
	hp_store_release(&places[mine - 1].thread, 0);
	mine = 0;
}

bool hp_loop_has_passed(int thread, uint64_t generation)
{
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		/* Both pair with the releases above. */
		if (hp_load_acquire(&places[i].thread) == thread)
			return hp_load_acquire(&places[i].seen) >= generation;
	}
	return false;
}

void hp_loop_fork_child(void)
{
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		/* Relaxed: there is no other thread. */
		hp_store_relaxed(&places[i].thread, 0);
		hp_store_relaxed(&places[i].seen, 0);
	}
	mine = 0;
}
