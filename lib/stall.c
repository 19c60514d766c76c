/* SPDX-License-Identifier: MIT */
/*
 * What happens when tasks do not come: those whose threads are gone are given
 * up; at the deadline sleepers may be adopted, and then the policy strikes.
 */
#include "stall.h"

#include "blocker.h"
#include "event.h"
#include "patch.h"
#include "scan.h"
#include "shadow.h"
#include "stack.h"
#include "status.h"
#include "task.h"
#include "transition.h"

#include <stdlib.h>

/* The code that a task which has not moved may be in, for one slot. */
static bool old_code(const struct hotpatch_slot *slot,
		     struct hp_stack_range *range)
{
	const struct hp_binding *binding = hp_slot_winner(slot, HP_OLD_SIDE);

	if (!binding)
		return hp_slot_original_code(slot, &range->start, &range->stop);
	range->start = binding->patch->image.start;
	range->stop = binding->patch->image.stop;
	return true;
}

/* Reverted, and kept mapped for whoever is in it still. */
static bool is_kept(const struct hotpatch_patch *patch)
{
	return patch->gone && patch->state != HOTPATCH_CLOSED;
}

/* Appends the code of kept patches to @ranges; only counts it if that is NULL.
 * A sleeper in it has a view that holds it; a newer one would not. */
static size_t kept_ranges(struct hp_stack_range *ranges)
{
	const struct hotpatch_patch *patch;
	size_t count = 0;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!is_kept(patch))
			continue;
		if (ranges) {
			ranges[count].start = patch->image.start;
			ranges[count].stop = patch->image.stop;
		}
		count++;
	}
	return count;
}

/* One range for each changed slot and each kept patch; NULL if one cannot be
 * told. */
static struct hp_stack_range *old_ranges(size_t *count)
{
	size_t changed;
	struct hotpatch_slot **slots = hp_transition_slots(&changed);
	struct hp_stack_range *ranges;
	size_t i;

	*count = changed + kept_ranges(NULL);
	ranges = malloc((*count + 1) * sizeof(*ranges));
	for (i = 0; ranges && i < changed; i++) {
		if (!old_code(slots[i], &ranges[i])) {
			free(ranges);
			return NULL;
		}
	}
	if (ranges)
		kept_ranges(&ranges[changed]);
	return ranges;
}

static void adopt_if_clear(struct hp_stack_reader *reader, size_t index,
			   const struct hp_task_sight *sight,
			   const struct hp_stack_range *ranges, size_t count)
{
	struct hp_stack_look look;

	if (hp_stack_inspect(reader, sight->thread, ranges, count, &look) !=
	    HP_STACK_CLEAR)
		return;
	hp_shadow_wait_anew();
	if (hp_scan_adopt_for(index, sight->seen, hotpatch_generation))
		hp_event_thread(HOTPATCH_PHASE_ADOPTED, sight->thread);
}

/*
 * Moves threads that sleep with none of the old code on their stack. A thread
 * is nowhere between the reading of its view and the jump that follows from
 * it: hotpatch_dispatch makes no system call, and a signal handler that sleeps
 * on top of it is told by its return address.
 */
static void adopt_sleepers(void)
{
	size_t range_count;
	struct hp_stack_range *ranges = old_ranges(&range_count);
	struct hp_stack_reader *reader = ranges ? hp_stack_open() : NULL;
	struct hp_task_range views[HP_TRANSITION_RANGES];
	size_t count = hp_transition_ranges(views);
	struct hp_task_sight sight;
	size_t i;

	for (i = 0; reader && hp_scan_look(i, &sight); i++)
		if (sight.kind == HP_TASK_THREAD &&
		    hp_scan_ranges_have(views, count, sight.seen))
			adopt_if_clear(reader, i, &sight, ranges, range_count);
	hp_stack_close(reader);
	free(ranges);
}

static void explain_stall(const char *who, const char *outcome)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving)
			hp_patch_explain(patch, HOTPATCH_E_STALLED,
					 "%s was still in the old code at the "
					 "deadline; %s",
					 who, outcome);
}

static void mark_reversed(void)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving)
			patch->reversed = true;
}

void hp_stall_strike(enum hotpatch_policy policy, bool adopt)
{
	struct hp_task_range ranges[HP_TRANSITION_RANGES];
	size_t count;
	char who[64];

	count = hp_transition_ranges(ranges);
	hp_blocker_name(ranges, count, who, sizeof(who));
	hp_transition_announce(HOTPATCH_PHASE_STALLED, HOTPATCH_E_STALLED, who);
	if (adopt) {
		adopt_sleepers();
		if (hp_transition_settle_if_drained())
			return;
	}
	switch (policy) {
	case HOTPATCH_WAIT:
		break;
	case HOTPATCH_REVERSE:
		explain_stall(who, "the transition was reversed");
		mark_reversed();
		hp_transition_turn();
		hp_transition_settle_if_drained();
		break;
	case HOTPATCH_FORCE:
		explain_stall(who, "the transition was forced");
		hp_transition_announce(HOTPATCH_PHASE_FORCED,
				       HOTPATCH_E_STALLED, who);
		hp_transition_force();
		break;
	}
}

static bool is_of_dead(size_t index, struct hp_task_sight *sight)
{
	return hp_scan_look(index, sight) && sight->kind == HP_TASK_THREAD &&
	       !hp_stack_thread_lives(sight->thread);
}

void hp_stall_reclaim_dead(void)
{
	struct hp_task_range ranges[HP_TRANSITION_RANGES];
	size_t count = hp_transition_ranges(ranges);
	struct hp_task_sight sight;
	struct hp_task_sight again;
	size_t i;

	/*
	 * Twice, because a thread that ends between a look and the question
	 * whether it lives gives its record back, and another one may take it.
	 * What has the same dead owner the second time stays as it is.
	 */
	for (i = 0; hp_scan_look(i, &sight); i++)
		if (hp_scan_ranges_have(ranges, count, sight.seen) &&
		    is_of_dead(i, &sight) && is_of_dead(i, &again) &&
		    sight.thread == again.thread)
			hp_task_reclaim(i);
}
