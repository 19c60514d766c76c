/* SPDX-License-Identifier: MIT */
/*
 * The commands that only look: list and status.
 */
#include "tool.h"

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

static void print_slots(const json_t *slots)
{
	struct hp_table table = {.columns = 4};
	const char *patch;
	json_t *slot;
	size_t i;

	hp_table_add(&table, "FUNCTION");
	hp_table_add(&table, "MODULE");
	hp_table_add(&table, "RUNS");
	hp_table_add(&table, "PROTOTYPE");
	json_array_foreach(slots, i, slot)
	{
		patch = hp_json_text(slot, "patch");
		hp_table_add(&table, "%s", hp_json_text(slot, "name"));
		hp_table_add(&table, "%s", hp_json_text(slot, "module"));
		hp_table_add(&table, "%s", *patch ? patch : "(original)");
		hp_table_add(&table, "%s", hp_json_text(slot, "prototype"));
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

enum hotpatch_status hp_command_list(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *slots = json_array();
	size_t total = 1;
	enum hotpatch_status status = hp_session_open(options, &session, err);

	while (!status && json_array_size(slots) < total)
		status = fetch_slots(&session, slots, &total, err);
	if (!status && options->json)
		hp_print_json(json_pack("{s:O}", "slots", slots));
	else if (!status)
		print_slots(slots);
	json_decref(slots);
	hp_session_close(&session);
	return status;
}

static bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void print_process(const json_t *process, const json_t *greeting)
{
	hp_print("%s, process %d, hotpatch %s\n",
		 hp_json_text(process, "program"),
		 (int)hp_json_number(process, "pid"),
		 hp_json_text(process, "version"));
	hp_print("build %s\n", hp_json_text(greeting, "build_id"));
	hp_print("functions %d, modules %d, tasks %d, generation %lld, %s\n",
		 (int)hp_json_number(process, "slots"),
		 (int)hp_json_number(process, "modules"),
		 (int)hp_json_number(process, "tasks"),
		 (long long)hp_json_number(process, "generation"),
		 is_set(process, "transition") ? "in transition" : "settled");
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
		hp_table_add(table, "%.2f ms", drain_ms);
}

static void print_patches(const json_t *patches)
{
	struct hp_table table = {.columns = 6};
	const char *remark;
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
			remark = hp_json_text(patch, "still_runs");
		if (!remark[0])
			remark = hp_json_text(patch, "callback");
		hp_table_add(&table, "%s", remark);
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
	hp_print("\n");
	if (json_array_size(patches))
		print_patches(patches);
	else
		hp_print("no patches\n");
	if (!json_array_size(blockers))
		return;
	hp_print("\n");
	print_blockers(blockers);
	if ((size_t)count > json_array_size(blockers))
		hp_print("and %d more\n",
			 (int)count - (int)json_array_size(blockers));
}

enum hotpatch_status hp_command_status(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result;
	enum hotpatch_status status = hp_session_open(options, &session, err);

	if (status)
		return status;
	status =
		hp_session_call(&session, "status", NULL, &plain, &result, err);
	if (!status && options->json)
		hp_print_json(json_incref(result));
	else if (!status)
		print_status(result, session.greeting);
	json_decref(result);
	hp_session_close(&session);
	return status;
}
