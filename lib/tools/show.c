/* SPDX-License-Identifier: MIT */
/*
 * The commands that only look: list and status.
 */
#include "change.h"
#include "desired.h"
#include "several.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MS 30000

static const struct hp_request_options plain = {
	.bundle_fd = -1,
	.signature_fd = -1,
	.timeout_ms = ANSWER_MS,
};

/* Moves the slots of one answer to @slots; says how many there are in all. */
static enum hotpatch_status fetch_slots(struct hp_session *session,
					json_t *slots, size_t *total,
					struct hotpatch_error *err)
{
	json_t *result;
	enum hotpatch_status status;

	status = hp_session_call(session, "list",
				 json_pack("{s:I}", "offset",
					   (json_int_t)json_array_size(slots)),
				 &plain, &result, err);
	if (status)
		return status;
	*total = (size_t)hp_json_number(result, "slot_count");
	/* An answer without any would otherwise be asked for again for ever. */
	if (!json_array_size(json_object_get(result, "slots")))
		*total = 0;
	json_array_extend(slots, json_object_get(result, "slots"));
	json_decref(result);
	return HOTPATCH_OK;
}

static bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static const char *shown_patch(const char *name)
{
	return *name ? name : "(original)";
}

static void print_slots(const json_t *result, const json_t *greeting)
{
	const json_t *slots = json_object_get(result, "slots");
	struct hp_table table = {.columns = 5};
	const char *build_id;
	const char *patch;
	json_t *slot;
	size_t i;

	(void)greeting;
	hp_table_add(&table, "FUNCTION");
	hp_table_add(&table, "MODULE");
	hp_table_add(&table, "RUNS");
	hp_table_add(&table, "BUILD");
	hp_table_add(&table, "PROTOTYPE");
	json_array_foreach(slots, i, slot)
	{
		patch = hp_json_text(slot, "patch");
		hp_table_add(&table, "%s", hp_json_text(slot, "name"));
		hp_table_add(&table, "%s", hp_json_text(slot, "module"));
		build_id = hp_json_text(slot, "build_id");
		if (is_set(slot, "moving"))
			hp_table_add(
				&table, "%s, before %s", shown_patch(patch),
				shown_patch(hp_json_text(slot, "previous")));
		else
			hp_table_add(&table, "%s", shown_patch(patch));
		hp_table_add(&table, "%.12s", build_id);
		hp_table_add(&table, "%s", hp_json_text(slot, "prototype"));
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

static enum hotpatch_status ask_list(struct hp_session *session,
				     const struct hp_options *options,
				     json_t **result,
				     struct hotpatch_error *err)
{
	json_t *slots = json_array();
	size_t total = 1;
	enum hotpatch_status status = HOTPATCH_OK;

	(void)options;
	while (!status && json_array_size(slots) < total)
		status = fetch_slots(session, slots, &total, err);
	if (!status)
		*result = json_pack("{s:O}", "slots", slots);
	json_decref(slots);
	return status;
}

enum hotpatch_status hp_command_list(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	static const struct hp_visit visit = {
		.ask = ask_list,
		.print = print_slots,
	};

	return hp_visit(options, &visit, err);
}

static long kibibytes(const json_t *memory, const char *key)
{
	return (long)((hp_json_number(memory, key) + 1023) / 1024);
}

static void print_memory(const json_t *memory)
{
	hp_print("memory: %ld KiB of patches' code, %ld KiB of it retained, "
		 "%ld KiB of their files, %ld KiB of records, %ld KiB of "
		 "trampolines, %ld KiB of them idle\n",
		 kibibytes(memory, "mapped_bytes"),
		 kibibytes(memory, "retained_bytes"),
		 kibibytes(memory, "file_bytes"),
		 kibibytes(memory, "task_bytes") +
			 kibibytes(memory, "record_bytes"),
		 kibibytes(memory, "redirect_bytes"),
		 kibibytes(memory, "redirect_idle_bytes"));
}

static void print_process(const json_t *process, const json_t *greeting)
{
	hp_print("%s, process %d, hotpatch %s\n",
		 hp_json_text(process, "program"),
		 (int)hp_json_number(process, "pid"),
		 hp_json_text(process, "version"));
	hp_print("build %s\n", hp_json_text(greeting, "build_id"));
	hp_print("running %s\n", hp_json_text(process, "effective"));
	hp_print("functions %d, modules %d, tasks %d, generation %lld, %s\n",
		 (int)hp_json_number(process, "slots"),
		 (int)hp_json_number(process, "modules"),
		 (int)hp_json_number(process, "tasks"),
		 (long long)hp_json_number(process, "generation"),
		 is_set(process, "transition") ? "in transition" : "settled");
	print_memory(json_object_get(process, "memory"));
	if (strcmp(hp_json_text(process, "status"), "OK") != 0)
		hp_print("refuses to work: %s\n",
			 hp_json_text(process, "status"));
	if (!is_set(process, "membarrier"))
		hp_print("sections cost a fence: no membarrier here\n");
	if (!is_set(process, "sleepers"))
		hp_print("sleeping threads cannot be looked at here\n");
	if (is_set(process, "forced"))
		hp_print("a transition was forced in this process\n");
}

/* There is none yet while tasks still move. */
static void add_duration(struct hp_table *table, const json_t *patch)
{
	double drain_ms = (double)hp_json_number(patch, "drain_us") / 1000;
	const char *state = hp_json_text(patch, "state");

	if (!strcmp(state, "applying") || !strcmp(state, "reverting"))
		hp_table_add(table, "-");
	else
		hp_table_add(table, "%.3f ms", drain_ms);
}

static void print_patches(const json_t *patches)
{
	struct hp_table table = {.columns = 6};
	const char *remark;
	char text[128];
	json_t *patch;
	size_t i;

	hp_table_add(&table, "PATCH");
	hp_table_add(&table, "STATE");
	hp_table_add(&table, "SEQUENCE");
	hp_table_add(&table, "FUNCTIONS");
	hp_table_add(&table, "DRAINED");
	hp_table_add(&table, "REMARK");
	json_array_foreach(patches, i, patch)
	{
		hp_table_add(&table, "%s", hp_json_text(patch, "name"));
		hp_table_add(&table, "%s", hp_json_text(patch, "state"));
		hp_table_add(&table, "%lld",
			     (long long)hp_json_number(patch, "sequence"));
		hp_table_add(&table, "%d of %d",
			     (int)hp_json_number(patch, "bound"),
			     (int)hp_json_number(patch, "functions"));
		add_duration(&table, patch);
		remark = hp_json_text(patch, "reason");
		if (!remark[0])
			remark = hp_canary_text(patch, text, sizeof(text));
		if (!remark[0])
			remark = hp_json_text(patch, "still_runs");
		if (!remark[0])
			remark = hp_json_text(patch, "callback");
		hp_table_add(&table, "%s", remark);
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

static void print_retained(const json_t *retained)
{
	struct hp_table table = {.columns = 3};
	json_t *one;
	size_t i;

	hp_table_add(&table, "RETAINED");
	hp_table_add(&table, "BYTES");
	hp_table_add(&table, "REASON");
	json_array_foreach(retained, i, one)
	{
		hp_table_add(&table, "%s", hp_json_text(one, "name"));
		hp_table_add(&table, "%lld",
			     (long long)hp_json_number(one, "bytes"));
		hp_table_add(&table, "%s", hp_json_text(one, "reason"));
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

static void print_blockers(const json_t *blockers)
{
	struct hp_table table = {.columns = 5};
	json_t *blocker;
	size_t i;

	hp_table_add(&table, "BLOCKED BY");
	hp_table_add(&table, "THREAD");
	hp_table_add(&table, "FOR");
	hp_table_add(&table, "FUNCTION");
	hp_table_add(&table, "ADVICE");
	json_array_foreach(blockers, i, blocker)
	{
		hp_table_add(&table, "%s", hp_json_text(blocker, "name"));
		hp_table_add(&table, "%d",
			     (int)hp_json_number(blocker, "thread"));
		hp_table_add(&table, "%.1f s",
			     (double)hp_json_number(blocker, "age_ms") / 1000);
		hp_table_add(&table, "%s", hp_json_text(blocker, "function"));
		hp_table_add(&table, "%s", hp_json_text(blocker, "advice"));
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

static void print_status(const json_t *result, const json_t *greeting)
{
	const json_t *patches = json_object_get(result, "patches");
	const json_t *blockers = json_object_get(result, "blockers");
	json_int_t count = hp_json_number(result, "blocker_count");

	print_process(json_object_get(result, "process"), greeting);
	hp_desired_print(result);
	hp_print("\n");
	if (json_array_size(patches))
		print_patches(patches);
	else
		hp_print("no patches\n");
	if (json_array_size(json_object_get(result, "retained"))) {
		hp_print("\n");
		print_retained(json_object_get(result, "retained"));
	}
	if (!json_array_size(blockers))
		return;
	hp_print("\n");
	print_blockers(blockers);
	if ((size_t)count > json_array_size(blockers))
		hp_print("and %d more\n",
			 (int)count - (int)json_array_size(blockers));
}

/* A word for all that may be the matter. */
static const char *summary(const json_t *result)
{
	const json_t *process = json_object_get(result, "process");

	if (strcmp(hp_json_text(process, "status"), "OK") != 0)
		return hp_json_text(process, "status");
	if (is_set(process, "transition"))
		return "in transition";
	if (json_array_size(json_object_get(result, "retained")))
		return "retained";
	return "settled";
}

static void print_sum(const struct hp_fleet *fleet)
{
	struct hp_table table = {.columns = 6};
	const struct hp_process *process;
	const json_t *facts;
	size_t i;

	hp_table_add(&table, "PROGRAM");
	hp_table_add(&table, "PROCESS");
	hp_table_add(&table, "STATE");
	hp_table_add(&table, "TASKS");
	hp_table_add(&table, "OLD CODE");
	hp_table_add(&table, "VERSION");
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		facts = json_object_get(process->result, "process");
		hp_table_add(&table, "%s", process->found.program);
		hp_table_add(&table, "%d", (int)process->found.pid);
		hp_table_add(&table, "%s",
			     process->status ?
				     hotpatch_status_name(process->status) :
				     summary(process->result));
		hp_table_add(&table, "%lld",
			     (long long)hp_json_number(facts, "tasks"));
		hp_table_add(&table, "%lld",
			     (long long)hp_json_number(process->result,
						       "blocker_count"));
		hp_table_add(&table, "%s",
			     process->status ?
				     process->err.sentence :
				     hp_json_text(facts, "effective"));
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

static enum hotpatch_status ask_status(struct hp_session *session,
				       const struct hp_options *options,
				       json_t **result,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;

	(void)options;
	status = hp_session_call(session, "status", NULL, &plain, result, err);
	if (!status)
		hp_desired_add_to(session, *result);
	return status;
}

enum hotpatch_status hp_command_status(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	static const struct hp_visit visit = {
		.ask = ask_status,
		.print = print_status,
		.sum = print_sum,
	};

	return hp_visit(options, &visit, err);
}
