/* SPDX-License-Identifier: MIT */
/*
 * Why no section sees a mixture, and why settled code can be given up:
 *
 * Tasks with an older view get @previous from every changed slot: before the
 * detour from the target, then from the dispatch. Who enters after the advance
 * saw the new generation with acquire, so it sees the detours that were stored
 * before, and gets @next from each. After the drain no task is left that would
 * get @previous, so replacing the detours by the new targets changes nothing
 * for anybody. The generation that settling makes marks who may still be
 * reading a view record, and in code that nobody calls any more.
 *
 * Turning round makes one more generation on the same detours: a task gets
 * @next if its view is an even distance from @since, so the direction may
 * change any number of times.
 *
 * A canary is held open before anybody has to move. Its generations are an even
 * distance from @since and announced by nobody, because the entrance stays
 * behind: a task takes the slow path, and there announces a view shortly
 * before, at an even distance if it is in and else at an odd one
 * (hp_canary_view()). Either is a view of this transition like any other, so
 * dispatch and scans need not know. One more generation, again even, and the
 * entrance with it, bring it to all.
 */
#include "transition.h"

#include "atomic.h"
#include "canary.h"
#include "descriptor.h"
#include "engine.h"
#include "event.h"
#include "moving.h"
#include "patch.h"
#include "scan.h"
#include "stage.h"
#include "stall.h"
#include "status.h"
#include "step.h"

#include <stdlib.h>
#include <string.h>

static struct {
	bool open;
	bool immediate;
	bool barrier_owed;
	bool adopt_sleepers;
	enum hotpatch_policy policy;
	uint64_t since;
	uint64_t began_ns;
	unsigned int deadline_ms; /* as it was wanted */
	uint64_t deadline_ns;	  /* 0 for none, or none yet */
	struct hotpatch_slot **slots;
	size_t count;
	size_t capacity;
} transition;

/* A copy of @transition.open for tasks, which look without the lock. */
static bool open_hint;

/* hp_progress_now() before the last look at the tasks. */
static uint32_t looked;

static bool barrier(void)
{
	hp_step(BARRIER);
	transition.barrier_owed = !hp_barrier();
	hp_step(BARRIER_PASSED);
	return !transition.barrier_owed;
}

bool hp_transition_barrier_paid(void)
{
	return !transition.barrier_owed || barrier();
}

bool hp_transition_is_open(void)
{
	return transition.open;
}

void hp_transition_describe(void)
{
	hp_describe_variable("transition", transition.open);
}

uint64_t hp_transition_began_ns(void)
{
	return transition.began_ns;
}

static void set_open(bool open)
{
	transition.open = open;
	/* Relaxed: a task that misses it is seen by the next look of whoever
	 * moves the transition on. Nobody is waited for by a canary. */
	hp_store_relaxed(&open_hint, open && !hp_canary_is_open());
}

void hp_transition_announce(enum hotpatch_phase phase,
			    enum hotpatch_status status, const char *object)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving)
			hp_event(phase, status, patch->manifest.name, object);
}

/*
 * Room for @count slots. The array is kept from one transition to the next,
 * because settling may happen in a signal handler's safe point, which must not
 * free it.
 */
static bool reserve_slots(size_t count)
{
	struct hotpatch_slot **grown;

	if (count <= transition.capacity)
		return true;
	grown = realloc(transition.slots, count * sizeof(*grown));
	if (!grown)
		return false;
	transition.slots = grown;
	transition.capacity = count;
	return true;
}

/* What callers in no section get. */
static enum hp_side newest_side(void)
{
	return hp_canary_is_open() && HP_KEEP(CANARY_NEWEST) ? HP_OLD_SIDE :
							       HP_NEW_SIDE;
}

static void stage(void)
{
	uint64_t oldest = hp_scan_oldest();
	struct hotpatch_patch *patch;
	size_t i;

	hp_step(STAGE);
	for (i = 0; i < transition.count; i++)
		hp_slot_stage(transition.slots[i], transition.since, oldest,
			      newest_side());
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving && patch->state == HOTPATCH_LOADED)
			hp_patch_move(patch, HOTPATCH_STAGED);
	hp_transition_announce(HOTPATCH_PHASE_STAGED, HOTPATCH_OK, NULL);
}

static void detour(void)
{
	size_t i;

	for (i = 0; i < transition.count; i++) {
		hp_step(DETOUR);
		if (transition.immediate)
			hp_slot_settle(transition.slots[i], HP_NEW_SIDE);
		else
			hp_slot_detour(transition.slots[i]);
	}
	if (!transition.immediate)
		hp_transition_announce(HOTPATCH_PHASE_DETOURED, HOTPATCH_OK,
				       NULL);
}

/* Nothing of it makes a difference to anybody yet. */
static void lead_astray(void)
{
	HP_ORDER(VIEW_BEFORE_DETOUR, stage(), detour());
}

static void mark_direction(void)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->moving)
			continue;
		hp_patch_move(patch, patch->on[HP_NEW_SIDE] ?
					     HOTPATCH_APPLYING :
					     HOTPATCH_REVERTING);
		patch->generation = hotpatch_generation;
		if (!patch->born)
			patch->born = transition.since;
	}
}

static void set_deadline(void)
{
	uint64_t ms = hp_canary_is_open() ? 0 : transition.deadline_ms;

	transition.deadline_ns = ms ? hp_now_ns() + ms * 1000000u : 0;
}

void hp_transition_set_options(const struct hotpatch_apply_options *options)
{
	hp_moving_clear_reasons();
	transition.policy = options ? options->policy : HOTPATCH_REVERSE;
	transition.adopt_sleepers = options && options->adopt_sleepers;
	transition.deadline_ms = options ? options->deadline_ms : 0;
	set_deadline();
}

/* Makes what was staged somebody's view. */
static void show(void)
{
	if (hp_canary_is_open())
		hp_canary_show(transition.since);
	else
		hp_view_advance();
}

enum hotpatch_status
hp_transition_begin(const struct hotpatch_apply_options *options,
		    struct hotpatch_error *err)
{
	size_t count = hp_moving_slots(NULL);

	/* Before anything is visible: is the barrier to be had, and have all
	 * threads seen what the loader wrote? */
	if (HP_KEEP(BEGIN_BARRIER) && !barrier())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "membarrier",
				"membarrier was available at start and is "
				"refused now");
	if (!reserve_slots(count) || !hp_slot_reserve_views(count))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "transition",
				"no memory to stage %zu functions", count);
	transition.count = hp_moving_slots(transition.slots);
	transition.immediate = hp_moving_is_immediate();
	hp_canary_begin(options ? options->canary : NULL);
	transition.since = hotpatch_generation + 1;
	hp_transition_set_options(options);
	transition.began_ns = hp_now_ns();
	hp_moving_since(transition.began_ns);
	set_open(true);
	hp_stage_moves();
	HP_ORDER(DETOUR_BEFORE_ADVANCE, lead_astray(), show());
	mark_direction();
	hp_step(ADVANCE);
	if (HP_KEEP(ADVANCE_BARRIER))
		barrier();
	if (hp_canary_is_open())
		hp_canary_announce(HOTPATCH_PHASE_CANARY_OPENED);
	else
		hp_transition_announce(HOTPATCH_PHASE_ADVANCED, HOTPATCH_OK,
				       NULL);
	hp_engine_wake();
	hp_transition_progress();
	return HOTPATCH_OK;
}

enum hotpatch_status hp_transition_switch(struct hotpatch_error *err)
{
	struct hotpatch_patch *patch;
	size_t count = hp_moving_slots(NULL);
	size_t i;

	if (!reserve_slots(count))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "transition",
				"no memory to stage %zu functions", count);
	transition.count = hp_moving_slots(transition.slots);
	transition.began_ns = hp_now_ns();
	hp_moving_since(transition.began_ns);
	transition.since = hotpatch_generation;
	hp_transition_set_options(NULL);
	hp_stage_moves();
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving && patch->state == HOTPATCH_LOADED)
			hp_patch_move(patch, HOTPATCH_STAGED);
	for (i = 0; i < transition.count; i++) {
		hp_slot_point_newest(transition.slots[i], HP_NEW_SIDE);
		hp_slot_settle(transition.slots[i], HP_NEW_SIDE);
	}
	/* As in settle(): a signal handler that interrupts a task at the closed
	 * gate has the view of closing it, and may be in an old body. */
	if (HP_KEEP(SWITCH_ADVANCE))
		hp_view_close();
	transition.barrier_owed = HP_KEEP(SETTLE_BARRIER);
	mark_direction();
	hp_transition_announce(HOTPATCH_PHASE_GATHERED, HOTPATCH_OK, NULL);
	return HOTPATCH_OK;
}

/*
 * Whom the open transition waits for. A task gets the new view of a changed
 * slot, as seen from the first direction, if it is an even distance after
 * @since; what it must not have is the view that the last turn went away from.
 */
size_t hp_transition_ranges(struct hp_task_range ranges[HP_TRANSITION_RANGES])
{
	bool forward = ((hotpatch_generation - transition.since) & 1) == 0;
	struct hp_task_range turned = {transition.since, hotpatch_generation,
				       forward ? 1 : 0};
	struct hp_task_range before = {1, transition.since, HP_ANY_PARITY};
	struct hp_task_range all = {1, hotpatch_generation, HP_ANY_PARITY};

	if (!transition.open || hp_canary_is_open())
		return 0;
	if (transition.immediate) {
		ranges[0] = all;
		return 1;
	}
	ranges[0] = turned;
	ranges[1] = before;
	return forward ? 2 : 1;
}

static bool is_drained(void)
{
	struct hp_task_range ranges[HP_TRANSITION_RANGES];
	size_t count = hp_transition_ranges(ranges);

	return !(hp_canary_is_open() && HP_KEEP(CANARY_HOLDS)) &&
	       !transition.barrier_owed &&
	       (!HP_KEEP(DRAIN) || hp_scan_none_in(ranges, count));
}

static void finish_patch(struct hotpatch_patch *patch, uint64_t now_ns)
{
	patch->moving = false;
	patch->on[HP_OLD_SIDE] = patch->on[HP_NEW_SIDE];
	patch->drained_us = (now_ns - patch->began_ns) / 1000;
	hp_event_duration(HP_DRAINING, patch->drained_us);
	patch->generation = hotpatch_generation;
	if (patch->on[HP_NEW_SIDE])
		return;
	hp_patch_unbind(patch);
	patch->gone = hotpatch_generation;
}

/* The tasks have moved; what is left of the change is callbacks. */
static void finish(void)
{
	uint64_t now_ns = hp_now_ns();
	struct hotpatch_patch *patch;

	hp_transition_announce(HOTPATCH_PHASE_SETTLED, HOTPATCH_OK, NULL);
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving)
			finish_patch(patch, now_ns);
	set_open(false);
	transition.count = 0;
	hp_stage_settled();
	hp_progress_made();
	hp_engine_wake();
}

void hp_transition_switched(void)
{
	finish();
}

/*
 * Stores the final targets. The barrier that the new generation needs is left
 * to whoever wants to rely on it: this may run in a task's safe point, which
 * shall not pay for it.
 */
static void settle(void)
{
	size_t i;

	for (i = 0; i < transition.count; i++) {
		hp_step(SETTLE);
		hp_slot_settle(transition.slots[i], HP_NEW_SIDE);
	}
	hp_step(SETTLED);
	hp_view_advance();
	transition.barrier_owed = HP_KEEP(SETTLE_BARRIER);
	for (i = 0; i < transition.count; i++)
		transition.slots[i]->view->retired = hotpatch_generation;
	finish();
}

bool hp_transition_settle_if_drained(void)
{
	bool drained;

	/* Before the look: who marks progress after this, adopted perhaps too
	 * late to be seen. Relaxed: the lock orders it for the next holder, and
	 * hp_transition_look_again() reads it after its own. */
	HP_ORDER(NOTE_BEFORE_LOOK, hp_store_relaxed(&looked, hp_progress_now()),
		 drained = is_drained());
	hp_step(LOOKED);
	if (!drained)
		return false;
	hp_transition_announce(HOTPATCH_PHASE_DRAINED, HOTPATCH_OK, NULL);
	settle();
	return true;
}

void hp_transition_force(void)
{
	struct hotpatch_patch *patch;

	hp_step(FORCE);
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving && !patch->on[HP_NEW_SIDE])
			patch->forced = true;
	hp_process_forced = true;
	settle();
}

struct hotpatch_slot **hp_transition_slots(size_t *count)
{
	*count = transition.count;
	return transition.slots;
}

/* From now on tasks are waited for. */
static void end_canary(void)
{
	if (!hp_canary_is_open())
		return;
	hp_canary_end();
	set_open(true);
	transition.began_ns = hp_now_ns();
	hp_moving_since(transition.began_ns);
}

static void point_newest(void)
{
	size_t i;

	for (i = 0; i < transition.count; i++) {
		hp_step(TURN);
		hp_slot_point_newest(transition.slots[i], HP_NEW_SIDE);
		if (transition.immediate)
			hp_slot_settle(transition.slots[i], HP_NEW_SIDE);
	}
}

void hp_transition_to_all(void)
{
	end_canary();
	set_deadline();
	point_newest();
	/* The entrance after the number, as when a rendezvous ends: who enters
	 * in between chooses and finds no canary. */
	hp_view_offer(hotpatch_generation + HP_CANARY_STRIDE);
	hp_view_open();
	mark_direction();
	hp_step(ADVANCE);
	if (HP_KEEP(TO_ALL_BARRIER))
		barrier();
	hp_transition_announce(HOTPATCH_PHASE_CANARY_TO_ALL, HOTPATCH_OK, NULL);
	hp_transition_announce(HOTPATCH_PHASE_ADVANCED, HOTPATCH_OK, NULL);
	hp_progress_made();
	hp_engine_wake();
}

bool hp_transition_make_view(uint64_t wanted)
{
	uint64_t behind = hp_canary_is_open() ? HP_CANARY_IN : 0;

	if (hotpatch_generation >= wanted + behind)
		return true;
	if (!transition.open)
		hp_view_advance();
	else if (hp_canary_is_open())
		hp_canary_renew();
	return hotpatch_generation >= wanted + behind;
}

static void turn_round(void)
{
	end_canary();
	hp_moving_turn();
	point_newest();
	transition.deadline_ns = 0;
	hp_view_advance();
	mark_direction();
	hp_step(ADVANCE);
}

void hp_transition_turn(void)
{
	turn_round();
	if (HP_KEEP(TURN_BARRIER))
		barrier();
	hp_transition_announce(HOTPATCH_PHASE_TURNED, HOTPATCH_OK, NULL);
	hp_progress_made();
}

void hp_transition_progress(void)
{
	if (!transition.open || !hp_transition_barrier_paid())
		return;
	if (hp_transition_settle_if_drained())
		return;
	hp_stall_reclaim_dead();
	if (!transition.deadline_ns || hp_now_ns() < transition.deadline_ns)
		return;
	transition.deadline_ns = 0;
	hp_stall_strike(transition.policy, transition.adopt_sleepers);
}

bool hp_transition_has_room(size_t count)
{
	return !transition.open || (reserve_slots(transition.count + count) &&
				    hp_slot_reserve_views(count));
}

void hp_transition_slot_came(struct hotpatch_slot *slot)
{
	if (!transition.open || !hp_moving_first(slot)) {
		hp_slot_settle(slot, HP_NEW_SIDE);
		return;
	}
	transition.slots[transition.count++] = slot;
	hp_slot_stage(slot, transition.since, hp_scan_oldest(), newest_side());
	if (transition.immediate)
		hp_slot_settle(slot, HP_NEW_SIDE);
	else
		hp_slot_detour(slot);
}

void hp_transition_module_went(const struct hp_module *module)
{
	struct hotpatch_slot *slot;
	size_t kept = 0;
	size_t i;

	for (i = 0; i < transition.count; i++) {
		slot = transition.slots[i];
		if (slot < module->start ||
		    slot >= module->start + module->count)
			transition.slots[kept++] = slot;
		else
			hp_slot_settle(slot, HP_NEW_SIDE);
	}
	transition.count = kept;
	for (i = 0; i < module->count; i++) {
		slot = &module->start[i];
		while (slot->top)
			hp_slot_unlink(slot->top);
		hp_slot_give_views_back(slot);
	}
}

void hp_transition_fork_child(void)
{
	if (!transition.open)
		return;
	if (hp_canary_is_open()) {
		/* Undecided, so it is taken back. Who forked in a section keeps
		 * its view until that ends. There are no others yet, so nobody
		 * owes a fence. */
		hp_transition_announce(HOTPATCH_PHASE_FORKED, HOTPATCH_OK,
				       NULL);
		turn_round();
		hp_transition_settle_if_drained();
		return;
	}
	/* One task is left: whatever view it has becomes everybody's. */
	if (!hp_scan_none_in((struct hp_task_range[]){{1, hotpatch_generation,
						       HP_ANY_PARITY}},
			     1) &&
	    !is_drained()) {
		hp_moving_turn();
		mark_direction();
	}
	hp_transition_announce(HOTPATCH_PHASE_FORKED, HOTPATCH_OK, NULL);
	settle();
}

void hp_transition_look_again(void)
{
	/* Relaxed: see set_open() and hp_transition_settle_if_drained(). */
	while (hp_load_relaxed(&open_hint) &&
	       hp_progress_now() != hp_load_relaxed(&looked) &&
	       hp_engine_try_lock()) {
		if (transition.open)
			hp_transition_settle_if_drained();
		hp_engine_release();
		hp_step(RELEASED);
		if (!HP_KEEP(LOOK_UNTIL_QUIET))
			return;
	}
}

void hp_transition_task_moved(void)
{
	/* Relaxed: see set_open(). */
	if (!hp_load_relaxed(&open_hint))
		return;
	/* The mark for whoever has the lock, who looks when releasing it. */
	if (HP_KEEP(MOVED_MARK))
		hp_progress_made();
	hp_transition_look_again();
}
