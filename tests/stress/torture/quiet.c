/* SPDX-License-Identifier: MIT */
/*
 * Now and then all readers go into sections that pass safe points, or to rest,
 * and the changers stop. Then a transition has to end by the tasks that adopt
 * its view alone: nobody polls, and who waits is not let to look by itself.
 * A wake-up that is lost shows as a wait that does not end.
 */
#include "torture.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

pthread_rwlock_t quiet_changes_lock =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static uint32_t quiet;
static uint32_t inside;
static uint32_t rounds; /* changes that were begun in quiet */
static uint32_t expected;
static uint64_t waits_since; /* ns; 0 while no waiter depends on a wake-up */

void quiet_expect(unsigned int readers)
{
	expected = readers;
}

void quiet_begin_change(void)
{
	pthread_rwlock_rdlock(&quiet_changes_lock);
}

void quiet_end_change(void)
{
	pthread_rwlock_unlock(&quiet_changes_lock);
}

uint64_t quiet_waits_since(void)
{
	return hp_load_acquire(&waits_since); /* its release is below */
}

/* Takes the engine's lock a few times for something else, so that the tasks
 * that adopt find it taken. */
static void disturb(void)
{
	struct hotpatch_process_info info;
	uint32_t count;

	for (count = 0; count < 20; count++) {
		hotpatch_process_info(&info);
		linger();
	}
}

static void rest(void)
{
	/* Acquire pairs with the fenced addition in change_once(). */
	uint32_t seen = hp_load_acquire(&rounds);

	while (hp_load_acquire(&quiet)) { /* pairs with begin_quiet() */
		if (hp_load_acquire(&rounds) != seen) { /* as above */
			seen = hp_load_acquire(&rounds);
			disturb();
		}
		poll(NULL, 0, 1);
	}
}

static void pass_safe_points(void)
{
	hotpatch_enter();
	hp_add_fenced(&inside, 1);
	while (hp_load_acquire(&quiet)) { /* pairs with begin_quiet() */
		hotpatch_safe_point();
		linger();
	}
	hotpatch_leave();
}

void quiet_point(bool in_section)
{
	if (!hp_load_acquire(&quiet)) /* pairs with begin_quiet() */
		return;
	if (in_section) {
		pass_safe_points();
	} else {
		hp_add_fenced(&inside, 1);
		rest();
	}
	hp_add_fenced(&inside, (uint32_t)-1);
}

/* False if the run is over before all came by. */
static bool begin_quiet(void)
{
	/* Release: pairs with the loads of those that come by. */
	hp_store_release(&quiet, 1);
	/* Acquire pairs with their additions. */
	while (hp_load_acquire(&inside) != expected) {
		if (is_over())
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

static void end_quiet(void)
{
	hp_store_release(&quiet, 0); /* as above */
	while (hp_load_acquire(&inside) != 0)
		poll(NULL, 0, 1);
}

/* Watches the generation, which wants no lock. */
static void await_generation(uint64_t wanted)
{
	uint64_t until = now_ns() + (uint64_t)(options.patience_s * 1e9);

	/* Acquire pairs with hp_view_advance(). */
	while (hp_load_acquire(&hotpatch_generation) < wanted) {
		if (now_ns() > until)
			fail("lost wake-up: all tasks have moved, and nobody "
			     "settles",
			     0, 0);
		sched_yield();
	}
}

static void await_waiter(struct hotpatch_patch *patch)
{
	struct hotpatch_error err;

	/* Release: pairs with the load in quiet_waits_since(). */
	hp_store_release(&waits_since, now_ns());
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	hp_store_release(&waits_since, 0); /* as above */
}

static void change_once(struct hotpatch_patch *patch, bool apply, bool watch)
{
	uint64_t generation = hp_load_acquire(&hotpatch_generation);
	struct hotpatch_error err;

	oracle_tell(QUIET_VERSION, apply ? COMING : GOING);
	stretch_pauses(true);
	hp_add_fenced(&rounds, 1);
	must(apply ? hotpatch_patch_apply(patch, &patient, &err) :
		     hotpatch_patch_revert(patch, &patient, &err),
	     &err);
	if (watch)
		await_generation(generation + 2); /* advanced and settled */
	else
		await_waiter(patch);
	stretch_pauses(false);
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	oracle_tell(QUIET_VERSION, apply ? ON : OFF);
	count_change();
}

void *keep_quiet(void *index)
{
	uint64_t state = options.seed + (uintptr_t)index;
	struct hotpatch_patch *patch;

	chance_start((unsigned int)(uintptr_t)index);
	become_task();
	while (!is_over()) {
		nap(&state, options.only ? 5000 : 200000);
		pthread_rwlock_wrlock(&quiet_changes_lock);
		if (begin_quiet()) {
			patch = open_version(QUIET_VERSION);
			change_once(patch, true, roll(&state, 2));
			change_once(patch, false, roll(&state, 2));
			end_quiet();
			close_unmapped(patch, QUIET_VERSION);
		} else {
			end_quiet();
		}
		pthread_rwlock_unlock(&quiet_changes_lock);
	}
	return NULL;
}
