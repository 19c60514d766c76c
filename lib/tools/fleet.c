/* SPDX-License-Identifier: MIT */
/*
 * Changing several processes. To apply, all of them first stage the bundle:
 * verify, load and check it, without anything to be seen. Only when each has,
 * each is told to apply; and when one fails then, the others go back. What was
 * staged and not applied is given back by the process when its connection
 * ends, however that comes about.
 *
 * A revert is prepared on all as well, but what is reverted stays so when
 * another process fails: the way back is not undone.
 */
#include "change.h"
#include "several.h"
#include "verify.h"

#include "../status.h"

#include <string.h>

static bool has_state(const struct hp_process *process, const char *state)
{
	return !strcmp(hp_json_text(hp_process_patch(process), "state"), state);
}

/* A step that failed leaves the process out of what follows. Without its
 * connection nobody knows what became of what it was asked. */
static void judge_step(struct hp_fleet *fleet, enum hp_outcome when_done,
		       bool visible)
{
	struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->taking)
			continue;
		process->taking = !process->status;
		process->outcome = when_done;
		if (process->status)
			process->outcome =
				visible && process->status ==
							HOTPATCH_E_UNREACHABLE ?
					HP_OUTCOME_LOST :
					HP_OUTCOME_FAILED;
	}
}

/* Everybody has to be reachable, and to let this user change something. */
static void admit(struct hp_fleet *fleet, const struct hp_options *options,
		  bool change)
{
	struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->status && change)
			process->status = hp_change_access(
				&process->session, options, &process->err);
		process->taking = !process->status;
		process->outcome = process->status ? HP_OUTCOME_FAILED :
						     HP_OUTCOME_UNTOUCHED;
	}
}

static json_t *stage_params(const struct hp_options *options,
			    const struct hp_process *process)
{
	(void)process;
	return hp_bundle_params(options, options->signed_bundle);
}

/* Each gets the same open files. Only those that look at signatures may be
 * sent one, so these come in a step of their own. */
static void stage_those(struct hp_fleet *fleet,
			const struct hp_options *options,
			const struct hp_bundle_files *files,
			bool with_signature)
{
	struct hp_options asked = *options;
	const struct hp_step step = {
		.method = options->dry_run ? "check" : "stage",
		.params = stage_params,
		.options = &asked,
		.bundle_fd = files->bundle_fd,
		.signature_fd = with_signature ? files->signature_fd : -1,
		.timeout_ms = options->timeout_ms + HP_ANSWER_MS,
	};
	struct hp_process *process;
	size_t i;

	asked.signed_bundle = with_signature;
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		process->taking = !process->status &&
				  (files->signature_fd >= 0 &&
				   hp_wants_signature(&process->session)) ==
					  with_signature;
	}
	hp_fleet_step(fleet, &step);
}

/* Those where it is active already are done. */
static void leave_out_active(struct hp_fleet *fleet)
{
	struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		process->taking = !process->status;
		if (process->status)
			process->outcome = HP_OUTCOME_FAILED;
		else if (has_state(process, "active")) {
			process->outcome = HP_OUTCOME_ALREADY;
			process->taking = false;
		}
	}
}

static enum hotpatch_status stage(struct hp_fleet *fleet,
				  const struct hp_options *options,
				  struct hotpatch_error *err)
{
	struct hp_bundle_files files;
	enum hotpatch_status status =
		hp_bundle_open(options, true, &files, err);

	if (status)
		return status;
	stage_those(fleet, options, &files, false);
	if (!hp_fleet_failed(fleet) && files.signature_fd >= 0)
		stage_those(fleet, options, &files, true);
	hp_bundle_close(&files);
	leave_out_active(fleet);
	return HOTPATCH_OK;
}

static json_t *name_params(const struct hp_options *options,
			   const struct hp_process *process)
{
	json_t *params = hp_change_params(options);

	json_object_set_new(params, "name", hp_wire_text(process->patch));
	if (process->first == HOTPATCH_E_UNHEALTHY)
		json_object_set_new(params, "unhealthy",
				    hp_wire_text(process->first_err.sentence));
	return params;
}

static json_t *end_params(const struct hp_options *options,
			  const struct hp_process *process)
{
	return hp_wait_params(process->patch, options->goal,
			      hp_change_wait_ms(options));
}

static void keep_names(struct hp_fleet *fleet)
{
	struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		hp_text_copy(process->patch, sizeof(process->patch),
			     hp_json_text(hp_process_patch(process), "name"));
	}
}

/* Waits for the goal in @options on all that take part. */
static void await_goal(struct hp_fleet *fleet, const struct hp_options *options)
{
	const long wait_ms = hp_change_wait_ms(options);
	const struct hp_step step = {
		.method = "wait",
		.params = end_params,
		.options = options,
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = wait_ms < 0 ? -1 : wait_ms + HP_ANSWER_MS,
	};
	struct hp_process *process;
	size_t i;

	hp_fleet_step(fleet, &step);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (process->taking && !process->status)
			process->status = hp_goal_check(
				options->goal, process->result, &process->err);
	}
}

static void change(struct hp_fleet *fleet, const struct hp_options *options,
		   const char *method,
		   json_t *(*params)(const struct hp_options *options,
				     const struct hp_process *process))
{
	const struct hp_step step = {
		.method = method,
		.params = params,
		.options = options,
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = options->timeout_ms + options->rendezvous_ms +
			      HP_ANSWER_MS,
	};

	hp_fleet_step(fleet, &step);
}

static json_t *no_params(const struct hp_options *options,
			 const struct hp_process *process)
{
	(void)options;
	(void)process;
	return NULL;
}

static const char *effective(const struct hp_process *process)
{
	return hp_json_text(json_object_get(process->result, "process"),
			    "effective");
}

/* What each runs before anything is changed. */
static void keep_versions(struct hp_fleet *fleet,
			  const struct hp_options *options)
{
	size_t i;

	change(fleet, options, "status", no_params);
	for (i = 0; i < fleet->count; i++)
		hp_text_copy(fleet->processes[i].before,
			     sizeof(fleet->processes[i].before),
			     effective(&fleet->processes[i]));
}

/* Patches that the bundle replaced do not come back with its revert. */
static void compare_versions(struct hp_fleet *fleet,
			     const struct hp_options *options)
{
	struct hp_process *process;
	char now[sizeof(process->before)];
	size_t i;

	for (i = 0; i < fleet->count; i++)
		fleet->processes[i].taking = fleet->processes[i].outcome ==
					     HP_OUTCOME_UNDONE;
	change(fleet, options, "status", no_params);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->taking)
			continue;
		hp_text_copy(now, sizeof(now), effective(process));
		if (!process->status && !strcmp(now, process->before))
			continue;
		process->outcome = HP_OUTCOME_DIFFERS;
		hp_error(&process->err, HOTPATCH_E_STATE, 0, process->patch,
			 "It runs %.100s now, and ran %.100s before.", now,
			 process->before);
	}
}

/* A process that did not come in time may still be on its way there; one that
 * is not well may go on with it until it is told. */
static bool may_see_it(const struct hp_process *process)
{
	return process->outcome == HP_OUTCOME_ACTIVE ||
	       process->outcome == HP_OUTCOME_APPLYING ||
	       (process->outcome == HP_OUTCOME_FAILED &&
		(process->status == HOTPATCH_E_TIMEOUT ||
		 process->status == HOTPATCH_E_UNHEALTHY));
}

/*
 * Takes the patch back where it came to be seen. The first failure stays the
 * one that is told, so what the way back says is only used for the outcome.
 */
static void undo(struct hp_fleet *fleet, const struct hp_options *options)
{
	struct hp_options back = *options;
	struct hp_process *process;
	size_t i;

	back.policy = "wait";
	back.goal = "drained";
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		process->taking = may_see_it(process);
		process->first = process->status;
		process->first_err = process->err;
	}
	change(fleet, &back, "revert", name_params);
	for (i = 0; i < fleet->count; i++)
		fleet->processes[i].taking &= !fleet->processes[i].status;
	await_goal(fleet, &back);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (process->taking)
			process->outcome = process->status ?
						   HP_OUTCOME_REVERTING :
						   HP_OUTCOME_UNDONE;
	}
	compare_versions(fleet, options);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		process->status = process->first;
		if (process->outcome == HP_OUTCOME_DIFFERS)
			process->status = HOTPATCH_E_STATE;
		else
			process->err = process->first_err;
	}
}

static void apply_all(struct hp_fleet *fleet, const struct hp_options *options)
{
	bool verified = hp_verify_is_wanted(options);
	struct hp_options forth = *options;

	forth.goal = options->goal && !verified ? options->goal :
		     options->canary		? "none" :
						  "active";
	keep_names(fleet);
	change(fleet, &forth, "apply", name_params);
	judge_step(fleet, HP_OUTCOME_APPLYING, true);
	if (!hp_fleet_failed(fleet) && strcmp(forth.goal, "none") != 0) {
		await_goal(fleet, &forth);
		judge_step(fleet, HP_OUTCOME_ACTIVE, true);
	}
	if (!hp_fleet_failed(fleet) && verified) {
		if (!hp_verify_several(fleet, options))
			return;
		judge_step(fleet, HP_OUTCOME_ACTIVE, true);
	}
	if (hp_fleet_failed(fleet))
		undo(fleet, options);
}

enum hotpatch_status hp_apply_several(const struct hp_options *options,
				      struct hotpatch_error *err)
{
	struct hp_fleet fleet;
	enum hotpatch_status status = hp_fleet_open(options, &fleet, err);

	if (!status) {
		admit(&fleet, options, true);
		if (!hp_fleet_failed(&fleet))
			keep_versions(&fleet, options);
		if (!hp_fleet_failed(&fleet))
			status = stage(&fleet, options, err);
	}
	if (!status) {
		if (!hp_fleet_failed(&fleet) && !options->dry_run)
			apply_all(&fleet, options);
		status = hp_fleet_show(&fleet, options, err);
	}
	hp_fleet_release(&fleet);
	return status;
}

/* What each has of the patch, before any is asked to change: a process that
 * does not have it is where it should be, but one has to. */
static enum hotpatch_status foresee(struct hp_fleet *fleet,
				    const struct hp_options *options,
				    struct hotpatch_error *err)
{
	struct hp_process *process;
	size_t known = 0;
	json_t *facts;
	size_t i;

	change(fleet, options, "status", no_params);
	judge_step(fleet, HP_OUTCOME_UNTOUCHED, false);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (process->status)
			continue;
		facts = hp_foresee_revert(process->result, options);
		process->taking = hp_foresees_change(facts);
		if (!process->taking)
			process->outcome = HP_OUTCOME_ALREADY;
		known += json_array_size(json_object_get(facts, "patches"));
		json_decref(facts);
	}
	if (known || options->all_patches || hp_fleet_failed(fleet))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_NO_PATCH, 0, options->operand,
			"None of %zu processes has a patch called %s.",
			fleet->count, options->operand);
}

static json_t *revert_params(const struct hp_options *options,
			     const struct hp_process *process)
{
	json_t *params = hp_change_params(options);

	(void)process;
	if (options->all_patches)
		json_object_set_new(params, "all", json_true());
	else
		json_object_set_new(params, "name",
				    hp_wire_text(options->operand));
	return params;
}

/* The last patch that "revert every patch" was answered with is the oldest:
 * when that is gone, all are. */
static void keep_oldest(struct hp_fleet *fleet,
			const struct hp_options *options)
{
	struct hp_process *process;
	const json_t *names;
	size_t i;

	keep_names(fleet);
	for (i = 0; options->all_patches && i < fleet->count; i++) {
		process = &fleet->processes[i];
		names = json_object_get(process->result, "patches");
		hp_text_copy(process->patch, sizeof(process->patch),
			     json_string_value(json_array_get(
				     names, json_array_size(names) - 1)));
	}
}

static void revert_all(struct hp_fleet *fleet, const struct hp_options *options)
{
	struct hp_options back = *options;

	back.goal = options->goal ? options->goal : "unmapped";
	change(fleet, &back, "revert", revert_params);
	judge_step(fleet, HP_OUTCOME_REVERTING, true);
	keep_oldest(fleet, options);
	if (strcmp(back.goal, "none") != 0) {
		await_goal(fleet, &back);
		judge_step(fleet, HP_OUTCOME_REVERTED, true);
	}
}

enum hotpatch_status hp_revert_several(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_fleet fleet;
	enum hotpatch_status status = hp_fleet_open(options, &fleet, err);

	if (!status) {
		admit(&fleet, options, !options->dry_run);
		if (!hp_fleet_failed(&fleet))
			status = foresee(&fleet, options, err);
	}
	if (!status) {
		if (!hp_fleet_failed(&fleet) && !options->dry_run)
			revert_all(&fleet, options);
		status = hp_fleet_show(&fleet, options, err);
	}
	hp_fleet_release(&fleet);
	return status;
}

enum hotpatch_status hp_wait_several(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	struct hp_options waiting = *options;
	struct hp_fleet fleet;
	size_t i;
	enum hotpatch_status status = hp_fleet_open(options, &fleet, err);

	waiting.goal = options->goal ? options->goal : "drained";
	waiting.policy = "wait";
	if (!status) {
		admit(&fleet, options, false);
		for (i = 0; i < fleet.count; i++)
			hp_text_copy(fleet.processes[i].patch,
				     sizeof(fleet.processes[i].patch),
				     options->operand);
		await_goal(&fleet, &waiting);
		judge_step(&fleet, HP_OUTCOME_REACHED, false);
		status = hp_fleet_show(&fleet, options, err);
	}
	hp_fleet_release(&fleet);
	return status;
}
