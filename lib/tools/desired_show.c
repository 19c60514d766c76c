/* SPDX-License-Identifier: MIT */
/*
 * What other commands do with what is desired: status shows it against what is
 * active, and apply records what it applied.
 */
#include "desired.h"

#include "change.h"

#include <string.h>

static const struct hp_request_options plain = {
	.bundle_fd = -1,
	.signature_fd = -1,
	.timeout_ms = HP_ANSWER_MS,
};

enum hotpatch_status hp_keep(struct hp_session *session, json_t *result,
			     struct hotpatch_error *err)
{
	const char *name =
		hp_json_text(json_object_get(result, "patch"), "name");
	enum hotpatch_status status;
	json_t *answer;

	status = hp_session_call(session, "desire",
				 json_pack("{s:o}", "name", hp_wire_text(name)),
				 &plain, &answer, err);
	if (status)
		return status;
	json_object_set_new(result, "kept", json_true());
	json_object_set_new(
		result, "already_kept",
		json_boolean(json_is_true(json_object_get(answer, "already"))));
	json_decref(answer);
	return HOTPATCH_OK;
}

void hp_desired_add_to(struct hp_session *session, json_t *result)
{
	struct hotpatch_error err = {0};
	enum hotpatch_status status;
	json_t *answer;

	if (!strcmp(hp_json_text(session->greeting, "access"), "read"))
		return;
	status = hp_session_call(session, "desired", NULL, &plain, &answer,
				 &err);
	if (!status) {
		json_object_update(result, answer);
		json_decref(answer);
	} else if (status != HOTPATCH_E_STATE &&
		   status != HOTPATCH_E_PROTOCOL) {
		json_object_set_new(result, "desired_error",
				    hp_wire_error(&err));
	}
}

static const char *state_of(const json_t *one)
{
	if (json_is_true(json_object_get(one, "active")))
		return "active";
	if (json_is_true(json_object_get(one, "quarantined")))
		return "quarantined";
	return "missing";
}

static void print_list(const json_t *desired)
{
	struct hp_table table = {.columns = 4};
	json_t *one;
	size_t i;

	hp_table_add(&table, "DESIRED");
	hp_table_add(&table, "SEQUENCE");
	hp_table_add(&table, "STATE");
	hp_table_add(&table, "REASON");
	json_array_foreach(desired, i, one)
	{
		hp_table_add(&table, "%s%s", hp_json_text(one, "name"),
			     json_is_true(json_object_get(one, "desired")) ?
				     "" :
				     " (not)");
		hp_table_add(&table, "%lld",
			     (long long)hp_json_number(one, "sequence"));
		hp_table_add(&table, "%s", state_of(one));
		hp_table_add(&table, "%s", hp_json_text(one, "reason"));
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

void hp_desired_print(const json_t *result)
{
	const json_t *desired = json_object_get(result, "desired");
	const json_t *error = json_object_get(result, "desired_error");

	if (error)
		hp_print("desired: %s\n", hp_json_text(error, "message"));
	if (json_is_true(json_object_get(result, "off")))
		hp_print("desired: a file switches it off\n");
	if (!json_array_size(desired))
		return;
	hp_print("\n");
	print_list(desired);
}
