/* SPDX-License-Identifier: MIT */
/*
 * What became of each of several processes that were changed, as a table or as
 * one object.
 */
#include "several.h"

static const char *const outcome_names[] = {
	[HP_OUTCOME_UNTOUCHED] = "untouched",
	[HP_OUTCOME_ACTIVE] = "active",
	[HP_OUTCOME_ALREADY] = "already",
	[HP_OUTCOME_APPLYING] = "applying",
	[HP_OUTCOME_DIFFERS] = "differs",
	[HP_OUTCOME_FAILED] = "failed",
	[HP_OUTCOME_LOST] = "lost",
	[HP_OUTCOME_REACHED] = "reached",
	[HP_OUTCOME_REVERTED] = "reverted",
	[HP_OUTCOME_REVERTING] = "reverting",
	[HP_OUTCOME_UNDONE] = "undone",
};

const json_t *hp_process_patch(const struct hp_process *process)
{
	return json_object_get(process->result, "patch");
}

static json_t *report_one(const struct hp_process *process)
{
	json_t *object = json_pack("{s:o, s:s}", "process",
				   hp_process_report(process), "outcome",
				   outcome_names[process->outcome]);

	if (hp_process_patch(process) && !process->status)
		json_object_set_new(object, "patch",
				    json_deep_copy(hp_process_patch(process)));
	if (process->status)
		json_object_set_new(object, "error",
				    hp_wire_error(&process->err));
	return object;
}

static bool all_have(const struct hp_fleet *fleet, enum hp_outcome outcome)
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
			 all_have(fleet, HP_OUTCOME_ALREADY), "dry_run",
			 options->dry_run);
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
		patch = process->status ? NULL : hp_process_patch(process);
		hp_table_add(&table, "%s", process->found.program);
		hp_table_add(&table, "%d", (int)process->found.pid);
		hp_table_add(&table, "%s", outcome_names[process->outcome]);
		if (process->outcome == HP_OUTCOME_ACTIVE ||
		    process->outcome == HP_OUTCOME_REVERTED)
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
	else if (all_have(fleet, HP_OUTCOME_ALREADY))
		hp_print("nothing had to be changed in %zu process%s\n",
			 fleet->count, plural(fleet->count));
}

/* That some could not be brought back is not what began it. */
static const struct hp_process *cause(const struct hp_fleet *fleet)
{
	size_t i;

	for (i = 0; i < fleet->count; i++)
		if (fleet->processes[i].status &&
		    fleet->processes[i].outcome != HP_OUTCOME_DIFFERS)
			return &fleet->processes[i];
	return hp_fleet_failed(fleet);
}

enum hotpatch_status hp_fleet_show(struct hp_fleet *fleet,
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
