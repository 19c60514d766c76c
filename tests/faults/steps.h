/* SPDX-License-Identifier: MIT */
/*
 * What the scenarios of a patch's life are made of: each step armed, checked
 * to have changed nothing if it failed, and then done. Each test program
 * includes it once.
 */
#ifndef FAULTS_STEPS_H
#define FAULTS_STEPS_H

#include "runner.h"

#include "../integration/versions.h"

/* How long to wait for what cannot come while a fault lasts. */
#define SHORT_MS 10

/* ---- What the scenarios are made of ---- */

/* Whether anything was retained by a fault: then one copy stays. */
static bool kept;

/* Whether an event tells of that cause; where no caller can be told. */
static inline bool was_refused(enum hotpatch_status cause)
{
	struct hotpatch_event event = {.sequence = 0};

	while (hotpatch_event_read(event.sequence, &event, 1) == 1)
		if (event.phase == HOTPATCH_PHASE_REFUSED &&
		    event.status == cause)
			return true;
	return false;
}

/* The next apply works, and so does the way back. */
static inline void clean_cycle(void)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error err = {HOTPATCH_OK, 0, "", ""};

	demand(!hotpatch_patch_open(bundle_path("two"), NULL, &patch, &err),
	       "afterwards: %s", err.sentence);
	demand(!hotpatch_patch_apply(patch, NULL, &err), "afterwards: %s",
	       err.sentence);
	demand(!hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, &err),
	       "afterwards: %s", err.sentence);
	demand(version() == 2, "afterwards");
	demand(!hotpatch_patch_revert(patch, NULL, &err), "afterwards: %s",
	       err.sentence);
	demand(version() == 0, "afterwards");
	demand(!hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
				    &err),
	       "afterwards: %s", err.sentence);
	hotpatch_patch_close(patch);
}

static inline struct hotpatch_patch *
checked_open(const char *name, const struct hotpatch_open_options *options)
{
	struct hotpatch_patch *patch = NULL;
	struct facts before = facts_now(version());
	enum hotpatch_status status;
	struct facts after;

	if (armed_step(STEP_OPEN, status,
		       hotpatch_patch_open(bundle_path(name), options, &patch,
					   &err)) &&
	    status != OK) {
		demand(!patch, "a handle of nothing");
		after = facts_now(version());
		demand_same(&before, &after, 0);
		status = hotpatch_patch_open(bundle_path(name), options, &patch,
					     NULL);
	}
	demand(status == OK, "opening is %s", hotpatch_status_name(status));
	return patch;
}

/* The spare blocks are the list of changed slots and the view records, which
 * the engine keeps for the next transition. */
static inline void checked_apply(struct hotpatch_patch *patch, int expected)
{
	struct facts before = facts_now(version());
	enum hotpatch_status status;
	struct facts after;

	if (armed_step(STEP_APPLY, status,
		       hotpatch_patch_apply(patch, NULL, &err)) &&
	    status != OK) {
		after = facts_now(version());
		demand_same(&before, &after, 2);
		demand(state_of(patch) == HOTPATCH_LOADED, "not loaded");
		status = hotpatch_patch_apply(patch, NULL, NULL);
	}
	demand(status == OK, "applying is %s", hotpatch_status_name(status));
	demand(version() == expected, "version %d", version());
}

static inline void checked_drain(struct hotpatch_patch *patch,
				 enum hotpatch_state wanted)
{
	enum hotpatch_status status;

	armed_step(STEP_DRAIN, status,
		   hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
				       &err));
	demand(status == OK, "waiting is %s", hotpatch_status_name(status));
	demand(state_of(patch) == wanted, "the patch is %s",
	       hotpatch_state_name(state_of(patch)));
}

static inline void checked_revert(struct hotpatch_patch *patch)
{
	struct facts before = facts_now(version());
	enum hotpatch_status status;
	struct facts after;

	if (armed_step(STEP_REVERT, status,
		       hotpatch_patch_revert(patch, NULL, &err)) &&
	    status != OK) {
		after = facts_now(version());
		demand_same(&before, &after, 0);
		demand(state_of(patch) == HOTPATCH_ACTIVE, "not active");
		status = hotpatch_patch_revert(patch, NULL, NULL);
	}
	demand(status == OK, "reverting is %s", hotpatch_status_name(status));
	demand(version() == 0, "version %d", version());
}

/* Turns the transition round, which waits for nobody here. */
static inline void checked_turn(struct hotpatch_patch *patch)
{
	enum hotpatch_status status;

	armed_step(STEP_REVERT, status,
		   hotpatch_patch_revert(patch, NULL, &err));
	demand(status == OK, "turning is %s", hotpatch_status_name(status));
	status =
		hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL);
	demand(status == OK, "waiting is %s", hotpatch_status_name(status));
	demand(version() == 0, "version %d", version());
}

/* A fault that keeps the proof from being made as long as it lasts. */
static inline bool keeps_from_proving(enum fault fault)
{
	switch (fault) {
	case FAULT_open:
	case FAULT_read:
	case FAULT_pread:
	case FAULT_fopen:
	case FAULT_fgets:
	case FAULT_opendir:
	case FAULT_readdir:
	case FAULT_malloc:
	case FAULT_calloc:
	case FAULT_realloc:
	case FAULT_rt_sigaction:
	case FAULT_dlinfo:
	case FAULT_backtrace:
	case FAULT_membarrier:
		return injection.lasting;
	default:
		return false;
	}
}

/* What was put off comes; what was retained says so and is not forgotten. */
static inline void checked_unmap(struct hotpatch_patch *patch)
{
	int limit_ms = keeps_from_proving(injection.fault) ?
			       SHORT_MS * (int)patience :
			       PATIENCE_MS;
	enum hotpatch_status status;

	if (armed_step(STEP_UNMAP, status,
		       hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, limit_ms,
					   &err)) &&
	    status != OK) {
		demand(version() == 0, "version %d", version());
		if (status == HOTPATCH_E_RETAINED) {
			kept = true;
			report_retained();
			demand(facts_now(0).mappings > 0, "nothing was kept");
			return;
		}
		demand(state_of(patch) == HOTPATCH_REVERTED, "not reverted");
	}
	/* Also where the fault did not come in a time as short as that. */
	if (status == HOTPATCH_E_TIMEOUT)
		status = hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
					     PATIENCE_MS, NULL);
	demand(status == OK, "unmapping is %s", hotpatch_status_name(status));
	demand(state_of(patch) == HOTPATCH_CLOSED, "not closed");
}

/* Closing says nothing, but nothing may be left by it. */
static inline void checked_close(struct hotpatch_patch *patch)
{
	struct hotpatch_error none = {HOTPATCH_OK, 0, "", ""};

	faults_arm(STEP_CLOSE);
	hotpatch_patch_close(patch);
	end_step(HOTPATCH_OK, &none);
	while (hotpatch_poll() > 0)
		;
}

/* A thread that never entered, asleep: it is looked at before unmapping. */
static sem_t stranger_up;
static int stranger;

static inline void *be_a_stranger(void *argument)
{
	(void)argument;
	stranger = own_thread_id();
	sem_post(&stranger_up);
	for (;;)
		pause();
	return NULL;
}

static inline void start_stranger(void)
{
	pthread_t thread;

	sem_init(&stranger_up, 0, 0);
	demand(!pthread_create(&thread, NULL, be_a_stranger, NULL), "thread");
	while (sem_wait(&stranger_up))
		;
	while (!is_asleep(stranger))
		sched_yield();
}

/* Stands before and behind every scenario. */
static struct facts at_begin;

static inline void begin_run(void)
{
	start_stranger();
	at_begin = facts_now(version());
}

static inline void end_run(void)
{
	struct facts now;

	clean_cycle();
	now = facts_now(version());
	if (!kept)
		demand_same(&at_begin, &now, 4);
	demand(now.version == 0 && !now.transition, "not as before");
	report_blocks();
}

static inline void come_and_go(const char *name,
			       const struct hotpatch_open_options *options,
			       int expected)
{
	struct hotpatch_patch *patch = checked_open(name, options);

	checked_apply(patch, expected);
	checked_drain(patch, HOTPATCH_ACTIVE);
	demand(version() == expected, "version %d", version());
	checked_revert(patch);
	checked_unmap(patch);
	checked_close(patch);
}

#endif
