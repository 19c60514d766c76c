/* SPDX-License-Identifier: MIT */
/*
 * Shadows that were detached, until nobody can have their data. A node is in
 * one of four places:
 *
 *   fresh    detached since the last grace period began
 *   waiting  detached before generation @until was made: freed when no task
 *            has an older view
 *   ripe     nobody has it; its destructor is to be run by who polls
 *   running  its destructor runs
 *
 * The grace period is the engine's: a generation is made for it, unless a
 * transition is open, which makes one itself when it settles and counts on
 * being the only one that makes any.
 */
#include "scan.h"
#include "shadow.h"

#include "atomic.h"
#include "engine.h"
#include "shadow_kind.h"
#include "shadow_table.h"
#include "task.h"
#include "transition.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* How many more have to come before who detaches helps along. */
#define BATCH 64

/* Under the shadow lock. */
static struct hp_shadow_node *fresh;
static struct hp_shadow_node *waiting;
static struct hp_shadow_node *ripe;
static struct hp_shadow_node *running;
static size_t retired;
static size_t help_at = BATCH;
static bool told; /* who polls knows that there are some */

/* Of who reclaims: one thread at a time. */
static uint32_t reclaiming;
static pthread_t reclaimer;
static uint64_t until;
static bool fenced;

static __thread bool destructs;

bool hp_shadow_in_callback(void)
{
	return destructs || hp_shadow_constructs();
}

static void push(struct hp_shadow_node **list, struct hp_shadow_node *node)
{
	node->next = *list;
	*list = node;
}

static struct hp_shadow_node *pop(struct hp_shadow_node **list)
{
	struct hp_shadow_node *node = *list;

	if (node)
		*list = node->next;
	return node;
}

void hp_shadow_retire(struct hp_shadow_node *node)
{
	push(&fresh, node);
	retired++;
}

/*
 * Who frees may be looking for older views at this moment, and not see the one
 * that is about to be made newer. It takes what it frees from the waiting ones
 * after that look, with the lock, and finds none.
 */
void hp_shadow_wait_anew(void)
{
	struct hp_shadow_node *node;

	hp_shadow_lock();
	while ((node = pop(&waiting)))
		push(&fresh, node);
	hp_shadow_unlock();
}

/* Lets the next batch wait. With the engine's lock, so that no transition
 * begins meanwhile; true if its generation has come. */
static bool begin_waiting(void)
{
	bool some;

	hp_shadow_lock();
	if (!waiting && fresh) {
		waiting = fresh;
		fresh = NULL;
		until = hotpatch_generation + 1;
		fenced = false;
	}
	some = waiting != NULL;
	hp_shadow_unlock();
	return some && hp_transition_make_view(until);
}

/* True if there are some that nobody can have any more. */
static bool wait_is_over(bool may_lock)
{
	struct hp_task_range older = {1, 0, HP_ANY_PARITY};
	bool come;

	if (may_lock)
		hp_engine_lock();
	else if (!hp_engine_try_lock())
		return false;
	come = begin_waiting();
	hp_engine_unlock();
	if (!come)
		return false;
	/* Once after the generation was made: pairs with the announcement in
	 * enter, as in lib/README.md. */
	fenced = fenced || hp_barrier();
	older.limit = until;
	return fenced && hp_scan_none_in(&older, 1);
}

/* Those without a destructor come back as a list. */
static struct hp_shadow_node *sort_waiting(void)
{
	struct hp_shadow_node *plain = NULL;
	struct hp_shadow_node *node;

	hp_shadow_lock();
	while ((node = pop(&waiting))) {
		if (node->destructor) {
			push(&ripe, node);
			continue;
		}
		push(&plain, node);
		retired--;
	}
	hp_shadow_unlock();
	return plain;
}

static void free_waiting(bool may_lock)
{
	struct hp_shadow_node *plain;
	struct hp_shadow_node *node;
	int batch;

	/* What waited before, and what came since. */
	for (batch = 0; batch < 2 && wait_is_over(may_lock); batch++) {
		plain = sort_waiting();
		while ((node = pop(&plain)))
			free(node->block);
	}
}

static struct hp_shadow_node *take_ripe(void)
{
	hp_shadow_lock();
	running = pop(&ripe);
	hp_shadow_unlock();
	return running;
}

/* Also a node whose destructor was forgotten; see the fork's child. */
static void run_destructors(void)
{
	struct hp_shadow_node *node;

	while ((node = take_ripe())) {
		destructs = true;
		if (node->destructor)
			node->destructor(node + 1, (const void *)node->object);
		destructs = false;
		hp_shadow_lock();
		running = NULL;
		retired--;
		hp_shadow_unlock();
		free(node->block);
	}
}

static size_t count_retired(void)
{
	size_t count;

	hp_shadow_lock();
	count = retired;
	help_at = retired + BATCH;
	if (retired == 0)
		told = false;
	hp_shadow_unlock();
	return count;
}

static bool claim_reclaiming(void)
{
	/* The winner's acquire pairs with the release in reclaim(). */
	if (!hp_replace(&reclaiming, 0, 1))
		return false;
	reclaimer = pthread_self();
	return true;
}

size_t hp_shadow_reclaim(void)
{
	if (count_retired() > 0 && claim_reclaiming()) {
		free_waiting(true);
		run_destructors();
		/* Release pairs with claim_reclaiming(). */
		hp_store_release(&reclaiming, 0);
	}
	return count_retired();
}

/* Whether to tell who polls, and whether to help. */
static bool wants_nudging(bool *help)
{
	bool tell;

	hp_shadow_lock();
	tell = retired > 0 && !told;
	*help = retired >= help_at;
	hp_shadow_unlock();
	return tell;
}

static void tell_poller(void)
{
	if (!hp_engine_try_lock())
		return;
	hp_engine_wake();
	hp_engine_unlock();
	hp_shadow_lock();
	told = true;
	hp_shadow_unlock();
}

void hp_shadow_nudge(void)
{
	int cancel_state;
	bool help;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	if (wants_nudging(&help))
		tell_poller();
	if (help && claim_reclaiming()) {
		free_waiting(false);
		/* Release pairs with claim_reclaiming(). */
		hp_store_release(&reclaiming, 0);
		count_retired();
	}
	pthread_setcancelstate(cancel_state, NULL);
}

static size_t count_in(const struct hp_shadow_node *node, uintptr_t start,
		       uintptr_t stop)
{
	size_t count = 0;

	for (; node; node = node->next)
		count += node->destructor &&
			 (uintptr_t)node->destructor - start < stop - start;
	return count;
}

static size_t retired_in(uintptr_t start, uintptr_t stop)
{
	size_t count = count_in(fresh, start, stop) +
		       count_in(waiting, start, stop) +
		       count_in(ripe, start, stop);

	/* Its @next is none of its business any more. */
	if (running && (uintptr_t)running->destructor - start < stop - start)
		count++;
	return count;
}

bool hp_shadow_lets_go(uintptr_t start, uintptr_t stop, char *why, size_t size)
{
	const struct hp_shadow_kind *kind;
	size_t waits;

	hp_shadow_lock();
	waits = retired_in(start, stop);
	kind = hp_shadow_kind_depending(start, stop);
	if (waits > 0)
		snprintf(why, size,
			 "%zu shadows that were detached have their destructor "
			 "in it",
			 waits);
	else if (kind)
		snprintf(why, size,
			 "%zu shadows %s of id %#x have their only destructor "
			 "in it",
			 kind->attached, kind->name,
			 (unsigned int)hp_shadow_key_id(kind->key));
	else
		hp_shadow_kind_drop(start, stop);
	hp_shadow_unlock();
	return waits == 0 && !kind;
}

static size_t length(const struct hp_shadow_node *node)
{
	size_t count = 0;

	for (; node; node = node->next)
		count++;
	return count;
}

void hp_shadow_retired_fork_child(void)
{
	/* Relaxed: the only thread. */
	if (!hp_load_relaxed(&reclaiming) ||
	    pthread_equal(reclaimer, pthread_self()))
		return;
	hp_store_relaxed(&reclaiming, 0); /* likewise */
	if (running) {
		/* Half run by a thread that is not here. */
		running->destructor = NULL;
		push(&ripe, running);
		running = NULL;
	}
	retired = length(fresh) + length(waiting) + length(ripe);
}
