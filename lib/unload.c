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
 *    at rest, if the code replaced a function that was not marked: it may be
 *    the one that the task waits in. A fiber that nobody runs is asleep, with
 *    all of its stack.
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
#include "patch.h"
#include "proof.h"
#include "scan.h"
#include "shadow.h"
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
 * called retained: on a machine that is busy elsewhere a few tries tell
 * little. */
#define PATIENCE_NS 2000000000u
#define PATIENCE_TRIES 20
#define RETRY_NS 1000000u
#define RETAINED_RETRY_NS 1000000000u

static uint32_t someone_unloads;

/* What the code may have left behind that runs it without a thread of its
 * own: the process's signal handlers, and destructors of threads' keys. */
static bool nothing_is_left(struct hp_proof *proof,
			    const struct hotpatch_patch *patch)
{
	struct sigaction action;
	int number;

	for (number = 1; number < NSIG; number++) {
		if (sigaction(number, NULL, &action) != 0 ||
		    !hp_proof_has(proof, (uintptr_t)action.sa_sigaction))
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

static bool prove(const struct hotpatch_patch *patch, struct hp_proof *proof)
{
	const struct hp_stack_range range = {patch->image.start,
					     patch->image.stop};
	bool clear;

	proof->ranges = &range;
	proof->count = 1;
	proof->gone = patch->gone;
	proof->held = (uint64_t)1 << (patch->image_index % 64);
	proof->anywhere = patch->anywhere;
	if (!hp_proof_open(proof))
		return false;
	/* Shadows last: nobody is left who could attach some. */
	clear = nothing_is_left(proof, patch) &&
		hp_proof_tasks_are_clear(proof) &&
		hp_shadow_lets_go(range.start, range.stop, proof->who,
				  sizeof(proof->who));
	hp_proof_close(proof);
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
	if (!HP_KEEP(GRACE) || hp_scan_none_in(&range, 1))
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
	/* While it is unloading the image belongs to the thread that does
	 * it. */
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
	struct hp_proof proof = {.ranges = NULL};
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
		if (patch->references == 0 && patch->state == HOTPATCH_CLOSED &&
		    !hp_trial_is_owed(patch)) {
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
