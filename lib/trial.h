/* SPDX-License-Identifier: MIT */
/*
 * Patches on probation: from the moment that one is active until its time is
 * over, it is reverted, or the process is found not to be well. Owns the
 * host's function and when it is asked; the figures are health's, taking a
 * patch back is change's.
 *
 * Functions want the engine's lock unless they say otherwise.
 */
#ifndef HP_TRIAL_H
#define HP_TRIAL_H

#include "health.h"

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Of one patch.
 * @length_ns:   what its apply asked for, 0 for none
 * @interval_ns: between two questions
 * @limits:      for what is reported
 * @before:      what was reported before its change was begun
 * @start:       the figures when it became active
 * @until_ns:    when it is over; 0 while it is not on probation
 * @retry_ns:    when taking it back is tried next
 * @failed:      it is to be taken back, or was
 * @recorded:    that is in the quarantine, could not be put there, or need not:
 *               another patch failed that it requires
 * @marked:      there is a marker of it, by which its death would be known
 * @reason:      why, kept beyond its revert
 */
struct hp_trial {
	uint64_t length_ns;
	uint64_t interval_ns;
	struct hp_health_limits limits;
	struct hp_health_summary before;
	struct hp_health_figures start;
	uint64_t until_ns;
	uint64_t retry_ns;
	bool failed;
	bool recorded;
	bool marked;
	char reason[192];
};

struct hotpatch_patch;

/* A change that brings @patch has begun, or goes there again. */
void hp_trial_plan(struct hotpatch_patch *patch,
		   const struct hotpatch_apply_options *options);

/* Writes the marker of a patch that was planned, before anything of it is
 * visible. Releases the lock meanwhile. E_LIMIT, E_STORE, E_UNSAFE_PATH,
 * E_NO_MEMORY. */
enum hotpatch_status hp_trial_mark(struct hotpatch_patch *patch,
				   struct hotpatch_error *err);

/* The change came to nothing. */
void hp_trial_call_off(struct hotpatch_patch *patch);

/* It has become active, or is no longer. Also in a task's safe point. */
void hp_trial_change_is_over(struct hotpatch_patch *patch);

/* Not well, for a reason that nobody had to ask for. */
void hp_trial_fail(struct hotpatch_patch *patch, const char *reason);

/* Faults in its code are its own: it is on probation, on its way there, or on
 * its way out because it failed. */
bool hp_trial_is_contained(const struct hotpatch_patch *patch);

/* A marker or a line in the quarantine is due; until then its record stays. */
bool hp_trial_is_owed(const struct hotpatch_patch *patch);

bool hp_trial_is_open(const struct hotpatch_patch *patch);
uint64_t hp_trial_left_ms(const struct hotpatch_patch *patch);

/* Asks, judges, and takes back what is not well. Not under the lock, as those
 * below. */
void hp_trial_poll(void);

/* Writes and removes markers, as far as that is due. */
void hp_trial_sync(void);

/* How many patches are on probation, or to be taken back. */
unsigned int hp_trial_count(void);

/* How long a thread that looks after this process may sleep; -1 for ever. */
int hp_trial_idle_ms(void);

/* True in the thread that asks. Any context. */
bool hp_trial_asks_here(void);
/* True while the host's function has not returned. */
bool hp_trial_is_asking(void);

/* In the child of a fork, where whoever asked may be missing. */
void hp_trial_fork_child(void);

#endif
