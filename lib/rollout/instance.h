/* SPDX-License-Identifier: MIT */
/*
 * One host of a simulated rollout: its process, what is done to it by the
 * hotpatch command, and what is done to it by the test.
 */
#ifndef HP_ROLLOUT_INSTANCE_H
#define HP_ROLLOUT_INSTANCE_H

#include "process.h"

/* What all of them share. */
struct hp_rollout {
	const struct hotpatch_rollout_options *options;
	struct hotpatch_rollout_report *report;
	struct hp_instance *instances;
	const char *command;
	char patch[128]; /* the bundle's name */
	char root[40];
	long start_end_ms; /* until when they have to listen */
	long command_ms;
};

struct hp_instance {
	struct hotpatch_rollout_instance shown;
	struct hotpatch_rollout_result *result;
	char directory[64];
	bool ended;
	int exit_status;
	bool had;     /* the patch was on */
	bool unknown; /* nobody knows whether it was */
	bool refused;
	long patched_ms; /* when it was applied */
};

/*
 * Runs the hotpatch command for the host of @directory; false if it failed, and
 * then @result has the reason, unless it has one already.
 */
bool hp_rollout_run(const struct hp_rollout *rollout, const char *directory,
		    const char *const *argv, struct hp_output *output,
		    struct hotpatch_rollout_result *result);

/* Does what the test wants to happen to it at this step. */
void hp_instance_inject(const struct hp_rollout *rollout,
			struct hp_instance *instance,
			enum hotpatch_rollout_step step);

/* False with errno if the system refuses. */
bool hp_instance_start(const struct hp_rollout *rollout,
		       struct hp_instance *instance);
void hp_instance_end(struct hp_instance *instance);
bool hp_instance_has_ended(struct hp_instance *instance);

/* Each is false if it went wrong, and then the result has the reason. */
bool hp_instance_await(const struct hp_rollout *rollout,
		       struct hp_instance *instance);
bool hp_instance_apply(const struct hp_rollout *rollout,
		       struct hp_instance *instance);
bool hp_instance_has_patch(const struct hp_rollout *rollout,
			   struct hp_instance *instance);
bool hp_instance_is_healthy(const struct hp_rollout *rollout,
			    struct hp_instance *instance);
void hp_instance_revert(const struct hp_rollout *rollout,
			struct hp_instance *instance);

/* Asks it what it runs, and tells the outcome. */
void hp_instance_judge(const struct hp_rollout *rollout,
		       struct hp_instance *instance);

#endif
