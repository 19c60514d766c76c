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

#include "../status.h"

#include <string.h>

static const char active[] = "active";
static const char already[] = "already";
static const char applying[] = "applying";
static const char differs[] = "differs";
static const char failed[] = "failed";
static const char lost[] = "lost";
static const char reached[] = "reached";
static const char reverted[] = "reverted";
static const char reverting[] = "reverting";
static const char undone[] = "undone";
static const char untouched[] = "untouched";

static const json_t *patch_of(const struct hp_process *process)
{
	return json_object_get(process->result, "patch");
}

static bool has_state(const struct hp_process *process, const char *state)
{
	return !strcmp(hp_json_text(patch_of(process), "state"), state);
}

/* A step that failed leaves the process out of what follows. Without its
 * connection nobody knows what became of what it was asked. */
static void judge_step(struct hp_fleet *fleet, const char *when_done,
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
					lost :
					failed;
	}
}

/* Everybody has to be reachable, and to let this user change something. */
static void admit(struct hp_fleet *fleet, bool change)
{
	struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->status && change)
			process->status = hp_change_access(&process->session,
							   &process->err);
		process->taking = !process->status;
		process->outcome = process->status ? failed : untouched;
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
			process->outcome = failed;
		else if (has_state(process, active)) {
			process->outcome = already;
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
			     hp_json_text(patch_of(process), "name"));
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
					     undone;
	change(fleet, options, "status", no_params);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->taking)
			continue;
		hp_text_copy(now, sizeof(now), effective(process));
		if (!process->status && !strcmp(now, process->before))
			continue;
		process->outcome = differs;
		hp_error(&process->err, HOTPATCH_E_STATE, 0, process->patch,
			 "It runs %.100s now, and ran %.100s before.", now,
			 process->before);
	}
}

/* A process that did not come in time may still be on its way there. */
static bool may_see_it(const struct hp_process *process)
{
	return process->outcome == active || process->outcome == applying ||
	       (process->outcome == failed &&
		process->status == HOTPATCH_E_TIMEOUT);
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
			process->outcome = process->status ? reverting : undone;
	}
	compare_versions(fleet, options);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		process->status = process->first;
		if (process->outcome == differs)
			process->status = HOTPATCH_E_STATE;
		else
			process->err = process->first_err;
	}
}

static void apply_all(struct hp_fleet *fleet, const struct hp_options *options)
{
	struct hp_options forth = *options;

	forth.goal = options->goal ? options->goal : active;
	keep_names(fleet);
	change(fleet, &forth, "apply", name_params);
	judge_step(fleet, applying, true);
	if (!hp_fleet_failed(fleet) && strcmp(forth.goal, "none") != 0) {
		await_goal(fleet, &forth);
		judge_step(fleet, active, true);
	}
	if (hp_fleet_failed(fleet))
		undo(fleet, options);
}

static json_t *report_one(const struct hp_process *process)
{
	json_t *object = json_pack("{s:o, s:s}", "process",
				   hp_process_report(process), "outcome",
				   process->outcome);

	if (patch_of(process) && !process->status)
		json_object_set_new(object, "patch",
				    json_deep_copy(patch_of(process)));
	if (process->status)
		json_object_set_new(object, "error",
				    hp_wire_error(&process->err));
	return object;
}

static bool all_have(const struct hp_fleet *fleet, const char *outcome)
{
	size_t i;

	for (i = 0; i < fleet->count; i++)
		if (fleet->processes[i].outcome != outcome)
			return false;
	return true;
}

static json_t *report(const struct hp_fleet *fleet,
		      const struct hp_options *options)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < fleet->count; i++)
		json_array_append_new(list, report_one(&fleet->processes[i]));
	return json_pack("{s:o, s:b, s:b}", "processes", list, "already",
			 all_have(fleet, already), "dry_run", options->dry_run);
}

static void print(const struct hp_fleet *fleet)
{
	struct hp_table table = {.columns = 5};
	const struct hp_process *process;
	const json_t *patch;
	size_t i;

	hp_table_add(&table, "PROGRAM");
	hp_table_add(&table, "PROCESS");
	hp_table_add(&table, "OUTCOME");
	hp_table_add(&table, "DRAINED");
	hp_table_add(&table, "REMARK");
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		patch = process->status ? NULL : patch_of(process);
		hp_table_add(&table, "%s", process->found.program);
		hp_table_add(&table, "%d", (int)process->found.pid);
		hp_table_add(&table, "%s", process->outcome);
		if (process->outcome == active || process->outcome == reverted)
			hp_table_add(&table, "%.3f ms",
				     (double)hp_json_number(patch, "drain_us") /
					     1000);
		else
			hp_table_add(&table, "-");
		hp_table_add(&table, "%s",
			     process->status ? process->err.sentence : "");
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "es";
}

/* One line of what it comes to. */
static void print_end(const struct hp_fleet *fleet,
		      const struct hp_options *options)
{
	if (options->dry_run)
		hp_print("nothing was changed\n");
	else if (all_have(fleet, already))
		hp_print("nothing had to be changed in %zu process%s\n",
			 fleet->count, plural(fleet->count));
}

/* That some could not be brought back is not what began it. */
static const struct hp_process *cause(const struct hp_fleet *fleet)
{
	size_t i;

	for (i = 0; i < fleet->count; i++)
		if (fleet->processes[i].status &&
		    fleet->processes[i].outcome != differs)
			return &fleet->processes[i];
	return hp_fleet_failed(fleet);
}

static enum hotpatch_status show(struct hp_fleet *fleet,
				 const struct hp_options *options,
				 struct hotpatch_error *err)
{
	const struct hp_process *first = cause(fleet);
	enum hotpatch_status status = HOTPATCH_OK;

	if (first)
		status = hp_fleet_error(first, err);
	if (options->json) {
		hp_print_json(
			hp_json_outcome(report(fleet, options), status, err));
		return status;
	}
	print(fleet);
	if (!status)
		print_end(fleet, options);
	return status;
}

enum hotpatch_status hp_apply_several(const struct hp_options *options,
				      struct hotpatch_error *err)
{
	struct hp_fleet fleet;
	enum hotpatch_status status = hp_fleet_open(options, &fleet, err);

	if (!status) {
		admit(&fleet, true);
		if (!hp_fleet_failed(&fleet))
			keep_versions(&fleet, options);
		if (!hp_fleet_failed(&fleet))
			status = stage(&fleet, options, err);
	}
	if (!status) {
		if (!hp_fleet_failed(&fleet) && !options->dry_run)
			apply_all(&fleet, options);
		status = show(&fleet, options, err);
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
	judge_step(fleet, untouched, false);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (process->status)
			continue;
		facts = hp_foresee_revert(process->result, options);
		process->taking = hp_foresees_change(facts);
		if (!process->taking)
			process->outcome = already;
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
	judge_step(fleet, reverting, true);
	keep_oldest(fleet, options);
	if (strcmp(back.goal, "none") != 0) {
		await_goal(fleet, &back);
		judge_step(fleet, reverted, true);
	}
}

enum hotpatch_status hp_revert_several(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_fleet fleet;
	enum hotpatch_status status = hp_fleet_open(options, &fleet, err);

	if (!status) {
		admit(&fleet, !options->dry_run);
		if (!hp_fleet_failed(&fleet))
			status = foresee(&fleet, options, err);
	}
	if (!status) {
		if (!hp_fleet_failed(&fleet) && !options->dry_run)
			revert_all(&fleet, options);
		status = show(&fleet, options, err);
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
		admit(&fleet, false);
		for (i = 0; i < fleet.count; i++)
			hp_text_copy(fleet.processes[i].patch,
				     sizeof(fleet.processes[i].patch),
				     options->operand);
		await_goal(&fleet, &waiting);
		judge_step(&fleet, reached, false);
		status = show(&fleet, options, err);
	}
	hp_fleet_release(&fleet);
	return status;
}
