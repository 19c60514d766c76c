/* SPDX-License-Identifier: MIT */
/*
 * The canary of the open transition: which tasks have the new view while it is
 * open, and the choice that each makes by its own key. Owns the share and the
 * keys of each of its generations. Knows views, not what they lead to.
 *
 * A module that is loaded while it is open shows its functions by the same keys
 * as the rest of the patch from its first constructor on, comes to all and is
 * taken back with it; hp_transition_slot_came() makes it so.
 *
 * Everything here wants the engine's lock, unless it says otherwise.
 */
#ifndef HP_CANARY_H
#define HP_CANARY_H

#include <hotpatch/event.h>
#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stdint.h>

/* How far behind a canary's generation the views are that tasks announce: those
 * who are in and those who are out. */
#define HP_CANARY_IN 2
#define HP_CANARY_OUT 1
/* From one of its generations to the next, so that what these views stand for
 * stays: see transition.c. */
#define HP_CANARY_STRIDE 2

/* E_ARGUMENT, of what a caller wants; without the lock. */
enum hotpatch_status hp_canary_check(const struct hotpatch_canary *canary,
				     struct hotpatch_error *err);

/* Can tasks of both views run beside one another, and is none of an earlier
 * change left that does? E_CANARY. */
enum hotpatch_status hp_canary_fits(const struct hotpatch_patch *patch,
				    struct hotpatch_error *err);

/* The transition that is about to begin has @canary, or NULL for none. */
void hp_canary_begin(const struct hotpatch_canary *canary);
/* Makes its first generation, whose new view is that of @since. */
void hp_canary_show(uint64_t since);
/* It comes to all or is taken back; that makes a generation. */
void hp_canary_end(void);

/* Does the open one take just those that @wanted does, which may be NULL? */
bool hp_canary_is(const struct hotpatch_canary *wanted);

/* Until it ends, the transition neither waits for anybody nor settles. */
bool hp_canary_is_open(void);

/* Of an open one: another share, with the next generation. E_UNSUPPORTED if the
 * barrier after it cannot be had. */
enum hotpatch_status hp_canary_change(const struct hotpatch_canary *canary,
				      struct hotpatch_error *err);
/* The next generation, with the same share. */
void hp_canary_renew(void);
/* An event of its share. */
void hp_canary_announce(enum hotpatch_phase phase);

/* Whom it takes, of its keys only how many, and how many tasks have its
 * view. */
void hp_canary_info(struct hotpatch_patch_info *info);

/* The view that a task with @key announces when @generation is the newest: that
 * one, where it is not of a canary. Any context, without the lock. */
uint64_t hp_canary_view(uint64_t generation, uint64_t key);

#endif
