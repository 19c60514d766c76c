/* SPDX-License-Identifier: MIT */
/*
 * A reverted patch's code is unreachable when all of this holds:
 *
 *  - no section is open whose view may have had it: the tasks' announcements,
 *    after the generation that settling made;
 *  - no task adopted that generation at a safe point with the code on its
 *    stack, entered from the code, or has it above the frame that entered: a
 *    main loop that was itself replaced;
 *  - no signal is handled by it, no shadow needs it for its destructor, and it
 *    cannot have made a key of threads;
 *  - every thread that is no task is asleep with nothing of the code on its
 *    stack, because such threads may call entries at any time; so is every task
 *    at rest, if the code replaced a function that was not marked: it may be the
 *    one that the task waits in.
 *
 * Nobody can come in meanwhile: the targets were settled before, and a thread
 * that was seen clear can only get there through a target.
 */
#include "unload.h"

#include "atomic.h"
#include "blocker.h"
#include "engine.h"
#include "event.h"
#include "held.h"
#include "loop.h"
#include "patch.h"
#include "shadow.h"
#include "stack.h"
#include "status.h"
#include "step.h"
#include "task.h"
#include "transition.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A patch that cannot be unmapped for so long, and was tried so often, is
 * called retained: on a machine that is busy elsewhere a few tries tell little. */
#define PATIENCE_NS 2000000000u
#define PATIENCE_TRIES 20
#define RETRY_NS 1000000u
#define RETAINED_RETRY_NS 1000000000u
#define PASSES 8

/* One attempt at one patch. */
struct proof {
	struct hp_stack_reader *reader;
	struct hp_stack_range range;
	uint64_t image_bit;
	uint64_t gone; /* first generation from which nobody gets there */
	int self;
	bool anywhere; /* see struct hotpatch_patch */
	bool hopeless; /* nothing can be proven in this process */
	char who[160];
};

static uint32_t someone_unloads;

static bool fails(struct proof *proof, int thread, const char *name,
		  const char *why)
{
	char read_name[16];

	if (!name) {
		hp_stack_thread_name(thread, read_name);
		name = read_name;
	}
	snprintf(proof->who, sizeof(proof->who), "thread %s (%d) %s", name,
		 thread, why);
	return false;
}

static bool in_image(const struct proof *proof, uintptr_t address)
{
	return address - proof->range.start <
	       proof->range.stop - proof->range.start;
}

/* The frames that a task had when it entered last and is likely to have. */
static bool task_is_clear(struct proof *proof,
			  const struct hp_task_sight *sight)
{
	const char *name = sight->kind == HP_TASK_FIBER ? sight->name : NULL;
	struct hp_stack_look look;

	if (in_image(proof, sight->where))
		return fails(proof, sight->thread, name,
			     "runs a loop of the old version");
	if (sight->held & proof->image_bit)
		return fails(proof, sight->thread, name,
			     "returns to the old version");
	if (!sight->frame ||
	    (sight->kind == HP_TASK_FIBER && !sight->stack_stop))
		return true;
	switch (hp_stack_search(proof->reader, sight->frame, sight->stack_stop,
				&proof->range, 1, &look)) {
	case HP_STACK_CLEAR:
		return true;
	case HP_STACK_FOUND:
		return fails(proof, sight->thread, name,
			     "was called from the old version");
	default:
		return fails(proof, sight->thread, name, look.why);
	}
}

/*
 * Searched first; unwound if something was found, because the frames of whoever
 * calls often hold what an earlier call of the old version left there.
 */
static bool own_stack_is_clear(struct proof *proof)
{
	struct hp_stack_look look;

	if (hp_stack_search(proof->reader, hp_engine_caller_frame(), 0,
			    &proof->range, 1, &look) == HP_STACK_CLEAR ||
	    hp_stack_unwinds_clear(&proof->range))
		return true;
	return fails(proof, proof->self, NULL,
		     "asks for it from the old version");
}

static bool stranger_is_clear(struct proof *proof, int thread)
{
	struct hp_stack_look look;

	switch (hp_stack_inspect(proof->reader, thread, &proof->range, 1,
				 &look)) {
	case HP_STACK_CLEAR:
	case HP_STACK_GONE:
		return true;
	case HP_STACK_FOUND:
		return fails(proof, thread, NULL, "is in the old version");
	case HP_STACK_RUNS:
		return fails(proof, thread, NULL,
			     "runs outside of any section");
	default:
		return fails(proof, thread, NULL, look.why);
	}
}

/* Finds the record of a thread; false if it is no task. */
static bool find_task(int thread, struct hp_task_sight *sight)
{
	size_t i;

	for (i = 0; hp_task_look(i, sight); i++)
		if (sight->kind == HP_TASK_THREAD && sight->thread == thread)
			return true;
	return false;
}

static bool thread_is_clear(struct proof *proof, int thread)
{
	struct hp_task_sight sight;
	bool is_task = find_task(thread, &sight);

	hp_step(PROVE_THREAD);
	if (thread == proof->self)
		return own_stack_is_clear(proof);
	if (is_task)
		return task_is_clear(proof, &sight) &&
		       (!proof->anywhere || sight.seen ||
			stranger_is_clear(proof, thread));
	if (hp_loop_has_passed(thread, proof->gone))
		return true;
	return !HP_KEEP(STRANGERS) || stranger_is_clear(proof, thread);
}

static bool fibers_are_clear(struct proof *proof)
{
	struct hp_task_sight sight;
	size_t i;

	for (i = 0; hp_task_look(i, &sight); i++)
		if (sight.kind == HP_TASK_FIBER &&
		    !task_is_clear(proof, &sight))
			return false;
	return true;
}

/* All thread ids, in memory of the caller's; -1 if they cannot be had. */
static long list_threads(int **threads)
{
	long count = hp_stack_threads(NULL, 0);
	size_t room;

	while (count >= 0) {
		room = (size_t)count + 16;
		*threads = malloc(room * sizeof(**threads));
		if (!*threads)
			return -1;
		count = hp_stack_threads(*threads, room);
		if (count >= 0 && (size_t)count <= room)
			return count;
		free(*threads);
		*threads = NULL;
	}
	return -1;
}

static bool is_among(int thread, const int *threads, long count)
{
	long i;

	for (i = 0; i < count; i++)
		if (threads[i] == thread)
			return true;
	return false;
}

/*
 * One pass over all threads that are not in @known. A thread that is not seen
 * yet may start another one in the old code, so passes are made until one
 * finds nobody new; @known then has everybody.
 */
static bool pass(struct proof *proof, int **known, long *known_count,
		 bool *changed)
{
	int *threads = NULL;
	long count = list_threads(&threads);
	bool clear = count >= 0;
	long i;

	*changed = false;
	if (!clear)
		fails(proof, proof->self, NULL, "cannot list the threads");
	for (i = 0; clear && i < count; i++) {
		if (is_among(threads[i], *known, *known_count))
			continue;
		*changed = true;
		clear = thread_is_clear(proof, threads[i]);
	}
	free(*known);
	*known = threads;
	*known_count = count;
	return clear;
}

static bool threads_are_clear(struct proof *proof)
{
	int *known = NULL;
	long count = 0;
	bool changed = true;
	bool clear = true;
	int passes = 0;

	while (clear && changed && passes++ < PASSES)
		clear = pass(proof, &known, &count, &changed);
	free(known);
	if (clear && changed)
		return fails(proof, proof->self, NULL,
			     "found new threads without end");
	return clear;
}

/* What the code may have left behind that runs it without a thread of its
 * own: the process's signal handlers, and destructors of threads' keys. */
static bool nothing_is_left(struct proof *proof,
			    const struct hotpatch_patch *patch)
{
	struct sigaction action;
	int number;

	for (number = 1; number < NSIG; number++) {
		if (sigaction(number, NULL, &action) != 0 ||
		    !in_image(proof, (uintptr_t)action.sa_sigaction))
			continue;
		snprintf(proof->who, sizeof(proof->who),
			 "signal %d is handled by it", number);
		return false;
	}
	if (!hp_image_makes_keys(&patch->image))
		return true;
	snprintf(proof->who, sizeof(proof->who),
		 "it may have made a key of threads whose destructor is in it");
	return false;
}

/* Is /proc missing, closed to us or not as expected? A lack of memory or of
 * descriptors is another thing: it passes. */
static bool is_hopeless(int cause)
{
	return cause == 0 || cause == ENOENT || cause == EACCES ||
	       cause == EPERM;
}

static bool prove(const struct hotpatch_patch *patch, struct proof *proof)
{
	bool clear;

	proof->range.start = patch->image.start;
	proof->range.stop = patch->image.stop;
	proof->gone = patch->gone;
	proof->image_bit = (uint64_t)1 << (patch->image_index % 64);
	proof->anywhere = patch->anywhere;
	proof->self = (int)syscall(SYS_gettid);
	errno = 0;
	proof->reader = hp_stack_open();
	proof->hopeless = !proof->reader && is_hopeless(errno);
	if (!proof->reader) {
		snprintf(proof->who, sizeof(proof->who),
			 "the process's threads cannot be looked at in /proc");
		return false;
	}
	/* Shadows last: nobody is left who could attach some. */
	clear = nothing_is_left(proof, patch) && fibers_are_clear(proof) &&
		threads_are_clear(proof) &&
		hp_shadow_lets_go(proof->range.start, proof->range.stop,
				  proof->who, sizeof(proof->who));
	hp_stack_close(proof->reader);
	return clear;
}

/* Was it never visible, so that only its own constructors ran it? */
static bool was_never_seen(const struct hotpatch_patch *patch)
{
	return patch->born == 0;
}

/* No section is open that began before the patch was settled away. */
static bool sections_are_over(const struct hotpatch_patch *patch, char *why,
			      size_t size)
{
	struct hp_task_range range = {patch->born, patch->gone, HP_ANY_PARITY};
	const struct hotpatch_patch *user;
	char who[64];

	hp_text_copy(why, size, "the kernel refuses membarrier now");
	if (was_never_seen(patch))
		return true;
	user = hp_imports_user(patch);
	if (user) {
		snprintf(why, size,
			 "%s, which imports from it, is still "
			 "mapped",
			 user->manifest.name);
		return false;
	}
	if (!hp_transition_barrier_paid())
		return false;
	if (!HP_KEEP(GRACE) || hp_task_none_in(&range, 1))
		return true;
	hp_blocker_name(&range, 1, who, sizeof(who));
	snprintf(why, size,
		 "%s has passed no safe point and left no section since it was "
		 "reverted",
		 who);
	return false;
}

static bool wants_unloading(const struct hotpatch_patch *patch)
{
	/* While it is unloading the image belongs to the thread that does it. */
	if (patch->unloading || patch->forced || !patch->image.handle ||
	    patch->changing)
		return false;
	if (was_never_seen(patch))
		return patch->references == 0 &&
		       (patch->state == HOTPATCH_LOADED ||
			patch->state == HOTPATCH_FAILED);
	return patch->state == HOTPATCH_REVERTED ||
	       patch->state == HOTPATCH_RETAINED;
}

static void retain(struct hotpatch_patch *patch, const char *why)
{
	hp_patch_explain(patch, HOTPATCH_E_RETAINED, "%s", why);
	if (patch->state == HOTPATCH_RETAINED)
		return;
	hp_patch_move(patch, HOTPATCH_RETAINED);
	hp_event(HOTPATCH_PHASE_RETAINED, HOTPATCH_E_RETAINED,
		 patch->manifest.name, why);
	hp_progress_made();
}

/* Puts it off; after a while, or at once if it is hopeless, it is called
 * retained, and tried now and then. */
static void put_off(struct hotpatch_patch *patch, const char *why,
		    bool hopeless)
{
	uint64_t now_ns = hp_now_ns();

	if (!patch->proof_ns)
		patch->proof_ns = now_ns;
	patch->retry_ns = now_ns + (patch->state == HOTPATCH_RETAINED ?
					    RETAINED_RETRY_NS :
					    RETRY_NS);
	patch->tries++;
	if (hopeless || (patch->tries >= PATIENCE_TRIES &&
			 now_ns - patch->proof_ns >= PATIENCE_NS))
		retain(patch, why);
	else if (!hp_patch_keeps_reason(patch))
		hp_text_copy(patch->reason, sizeof(patch->reason), why);
}

/* The next patch to try, marked as being unloaded. */
static struct hotpatch_patch *claim_next(void)
{
	uint64_t now_ns = hp_now_ns();
	struct hotpatch_patch *patch;
	char why[160];

	for (patch = hp_patches; patch; patch = patch->next) {
		if (patch->forced && patch->state == HOTPATCH_REVERTED)
			retain(patch, "a transition was forced while tasks "
				      "could be in it");
		if (!wants_unloading(patch) || patch->retry_ns > now_ns)
			continue;
		if (sections_are_over(patch, why, sizeof(why))) {
			patch->unloading = true;
			return patch;
		}
		put_off(patch, why, false);
	}
	return NULL;
}

static void finish(struct hotpatch_patch *patch, enum hotpatch_status status,
		   const struct hotpatch_error *err)
{
	patch->image.handle = NULL;
	patch->unloading = false;
	hp_held_remove(patch->image_index);
	if (status != HOTPATCH_OK) {
		retain(patch, err->sentence);
		return;
	}
	patch->unmapped_us = (hp_now_ns() - patch->began_ns) / 1000;
	hp_event_duration(HP_UNMAPPING, patch->unmapped_us);
	hp_patch_forget_reason(patch);
	hp_patch_move(patch, HOTPATCH_CLOSED);
	hp_event(HOTPATCH_PHASE_UNMAPPED, HOTPATCH_OK, patch->manifest.name,
		 NULL);
	hp_progress_made();
	hp_engine_wake();
}

static void try_one(struct hotpatch_patch *patch)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};
	struct proof proof = {.reader = NULL};
	enum hotpatch_status status;

	hp_step(PROVE);
	if (!was_never_seen(patch) && !prove(patch, &proof)) {
		hp_engine_lock();
		patch->unloading = false;
		put_off(patch, proof.who, proof.hopeless);
		hp_engine_unlock();
		return;
	}
	hp_step(PROVEN);
	status = hp_image_unload(&patch->image, &err);
	if (status == HOTPATCH_OK && patch->owner == getpid())
		hp_store_remove(patch->image.path);
	if (status == HOTPATCH_OK)
		hp_imports_release(&patch->imports);
	hp_engine_lock();
	finish(patch, status, &err);
	hp_engine_unlock();
}

/* Takes a patch that is over and that nobody holds off the list. */
static struct hotpatch_patch *take_dead(void)
{
	struct hotpatch_patch **place = &hp_patches;
	struct hotpatch_patch *patch;

	hp_step(DELIST);
	while ((patch = *place)) {
		if (patch->references == 0 && patch->state == HOTPATCH_CLOSED) {
			*place = patch->next;
			return patch;
		}
		place = &patch->next;
	}
	return NULL;
}

static unsigned int count_waiting(void)
{
	const struct hotpatch_patch *patch;
	unsigned int count = 0;

	for (patch = hp_patches; patch; patch = patch->next)
		count += wants_unloading(patch) &&
			 patch->state != HOTPATCH_RETAINED;
	return count;
}

static struct hotpatch_patch *locked(struct hotpatch_patch *(*step)(void))
{
	struct hotpatch_patch *patch;

	hp_engine_lock();
	patch = step();
	hp_engine_unlock();
	return patch;
}

unsigned int hp_unload_ready(void)
{
	struct hotpatch_patch *patch;
	unsigned int waiting;

	/* The winner's acquire pairs with the release below: one at a time. */
	if (hp_replace(&someone_unloads, 0, 1)) {
		while ((patch = locked(claim_next)))
			try_one(patch);
		while ((patch = locked(take_dead)))
			hp_patch_destroy(patch);
		hp_store_release(&someone_unloads, 0); /* as above */
	}
	hp_engine_lock();
	waiting = count_waiting();
	hp_engine_unlock();
	return waiting;
}

void hp_unload_fork_child(void)
{
	struct hotpatch_patch *patch;

	hp_store_relaxed(&someone_unloads, 0); /* the only thread */
	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->unloading)
			continue;
		patch->unloading = false;
		patch->forced = true;
		retain(patch, "the process forked while it was unmapped");
	}
}
