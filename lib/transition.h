/* SPDX-License-Identifier: MIT */
/*
 * The transition: moving all tasks from one view to the next, by stage,
 * detour, advance, drain and settle. At most one is open. Knows which patches
 * take part, not how they were loaded or how they are unmapped.
 *
 * Everything here wants the engine's lock, except hp_transition_task_moved().
 */
#ifndef HP_TRANSITION_H
#define HP_TRANSITION_H

#include "scan.h"
#include "task.h"

#include <hotpatch/event.h>
#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hotpatch_slot;
struct hp_module;

/*
 * Begins a transition of the patches that are marked as moving, whose sides
 * are set and whose bindings are linked. On failure nothing was visible and
 * the patches are as they came. E_NO_MEMORY, E_UNSUPPORTED.
 */
enum hotpatch_status
hp_transition_begin(const struct hotpatch_apply_options *options,
		    struct hotpatch_error *err);

/*
 * The same at a rendezvous, while no task is in a section: stores the new
 * targets at once. hp_transition_switched() is owed when tasks may go on.
 */
enum hotpatch_status hp_transition_switch(struct hotpatch_error *err);
void hp_transition_switched(void);

/* One that was begun with a canary, see canary.h, comes to all. */
void hp_transition_to_all(void);

/*
 * Has sections from now on announce a view of @wanted or later, if that can be
 * had now; true if they do.
 */
bool hp_transition_make_view(uint64_t wanted);

/* Turns the open transition round. */
void hp_transition_turn(void);

/* The options of a caller that turned it: a new deadline and policy. */
void hp_transition_set_options(const struct hotpatch_apply_options *options);

bool hp_transition_is_open(void);

/* For debuggers. */
void hp_transition_describe(void);

/* Settles if no task is in the way any more. */
bool hp_transition_settle_if_drained(void);

/* Settles although tasks are in the way; what they may be in is kept. */
void hp_transition_force(void);

/* The changed slots. */
struct hotpatch_slot **hp_transition_slots(size_t *count);

/* An event for each patch that takes part; @object may be NULL. */
void hp_transition_announce(enum hotpatch_phase phase,
			    enum hotpatch_status status, const char *object);

/* Settles if drained, lets the policy strike if late. */
void hp_transition_progress(void);

/* Pays a barrier that could not be had earlier; false if it still cannot. */
bool hp_transition_barrier_paid(void);

/* The views that the open transition waits for; gives back how many ranges. */
#define HP_TRANSITION_RANGES 2
size_t hp_transition_ranges(struct hp_task_range ranges[HP_TRANSITION_RANGES]);
uint64_t hp_transition_began_ns(void);

/* Room in an open transition for so many slots that come; true without one. */
bool hp_transition_has_room(size_t count);
/* A slot came with its module: join the open transition, which has room, or
 * settle at once. */
void hp_transition_slot_came(struct hotpatch_slot *slot);
/* The module is about to go: forget its slots. */
void hp_transition_module_went(const struct hp_module *module);

/* In the child of a fork: resolve it by the only task's view. */
void hp_transition_fork_child(void);

/*
 * A task adopted a view or ended: settle if it was the last. Takes the lock
 * only if it is free, so a task never waits. Context: no lock held.
 */
void hp_transition_task_moved(void);

/*
 * Looks for tasks that moved, but found the lock taken. Called after each
 * release of it; takes it only if it is free.
 */
void hp_transition_look_again(void);

#endif
