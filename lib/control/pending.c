/* SPDX-License-Identifier: MIT */
/*
 * Requests whose answer has to wait: for another transition to end, or for a
 * patch to get somewhere. Each is tried again whenever the server looks, and
 * none keeps it from anything else.
 */
#include "connection.h"

#include "../status.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The most patches that one request reverts. */
#define NAME_LIMIT 256

static json_t *report_result(const struct hotpatch_patch *patch, bool already)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	return json_pack("{s:o, s:b}", "patch", hp_report_patch(&info),
			 "already", already);
}

/* Each of these returns HOTPATCH_E_BUSY for "not yet". */
static enum hotpatch_status try_change(struct hp_pending *pending,
				       json_t **result,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status =
		pending->kind == HP_PENDING_APPLY ?
			hotpatch_patch_apply(pending->patch, &pending->options,
					     err) :
			hotpatch_patch_revert(pending->patch, &pending->options,
					      err);

	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	*result = report_result(pending->patch, status == HOTPATCH_E_ALREADY);
	return HOTPATCH_OK;
}

static enum hotpatch_status try_wait(struct hp_pending *pending,
				     json_t **result,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status =
		hotpatch_patch_wait(pending->patch, pending->goal, 0, err);

	if (status == HOTPATCH_E_TIMEOUT && hp_now_ms() < pending->until_ms)
		return HOTPATCH_E_BUSY;
	if (!status)
		*result = report_result(pending->patch, false);
	return status;
}

static bool has_name(const json_t *names, const char *name)
{
	size_t i;

	for (i = 0; i < json_array_size(names); i++) {
		if (!strcmp(json_string_value(json_array_get(names, i)), name))
			return true;
	}
	return false;
}

/* Reverts the patch of this name, which was active a moment ago. */
static enum hotpatch_status revert_one(struct hp_pending *pending,
				       const char *name,
				       struct hotpatch_error *err)
{
	struct hotpatch_patch *patch;
	enum hotpatch_status status;

	if (has_name(pending->names, name))
		return hp_error(err, HOTPATCH_E_STALLED, 0, name,
				"Tasks did not leave %s by the deadline, so it "
				"is active again.",
				name);
	if (hotpatch_patch_find(name, &patch))
		return HOTPATCH_OK;
	status = hotpatch_patch_revert(patch, &pending->options, err);
	hotpatch_patch_close(patch);
	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	if (json_array_append_new(pending->names, hp_wire_text(name)))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, name,
				"%s is reverted, but there is no memory to "
				"tell what else is.",
				name);
	return HOTPATCH_OK;
}

/* The newest patch that tasks see or are moving to; "" if there is none. */
static enum hotpatch_status newest_active(char name[HOTPATCH_NAME_SIZE],
					  struct hotpatch_error *err)
{
	struct hotpatch_patch_info *infos = calloc(NAME_LIMIT, sizeof(*infos));
	bool found = false;
	size_t count;

	name[0] = '\0';
	if (!infos)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "patches",
				"There is no memory to list the patches.");
	count = hotpatch_patch_list(infos, NAME_LIMIT);
	if (count > NAME_LIMIT)
		count = NAME_LIMIT;
	while (count-- && !found) {
		found = infos[count].state == HOTPATCH_APPLYING ||
			infos[count].state == HOTPATCH_ACTIVE;
		if (found)
			memcpy(name, infos[count].name, HOTPATCH_NAME_SIZE);
	}
	free(infos);
	return HOTPATCH_OK;
}

static enum hotpatch_status try_revert_all(struct hp_pending *pending,
					   json_t **result,
					   struct hotpatch_error *err)
{
	char name[HOTPATCH_NAME_SIZE];
	enum hotpatch_status status;

	do {
		status = newest_active(name, err);
		if (!status && name[0])
			status = revert_one(pending, name, err);
	} while (!status && name[0]);
	if (status)
		return status;
	*result = json_pack("{s:O, s:b}", "patches", pending->names, "already",
			    !json_array_size(pending->names));
	return HOTPATCH_OK;
}

static enum hotpatch_status try_request(struct hp_pending *pending,
					json_t **result,
					struct hotpatch_error *err)
{
	switch (pending->kind) {
	case HP_PENDING_APPLY:
	case HP_PENDING_REVERT:
		return try_change(pending, result, err);
	case HP_PENDING_REVERT_ALL:
		return try_revert_all(pending, result, err);
	case HP_PENDING_WAIT:
		return try_wait(pending, result, err);
	case HP_PENDING_FREE:
		break;
	}
	return HOTPATCH_E_STATE;
}

/* Nothing stays behind of an apply that failed: its handle may be the last. */
static void undo(struct hp_pending *pending)
{
	if (pending->kind != HP_PENDING_APPLY)
		return;
	hotpatch_patch_close(pending->patch);
	pending->patch = NULL;
}

/* The patch is asked for again more often than not: see @recent. */
static void finish(struct hp_connection *connection, struct hp_pending *pending)
{
	struct hotpatch_patch *previous = connection->recent;

	if (pending->patch) {
		connection->recent = pending->patch;
		hotpatch_patch_close(previous);
	}
	json_decref(pending->id);
	json_decref(pending->names);
	*pending = (struct hp_pending){0};
}

/* True when it is answered and over. */
static bool serve(struct hp_connection *connection, struct hp_pending *pending)
{
	struct hotpatch_error err = {0};
	json_t *result = NULL;
	enum hotpatch_status status = try_request(pending, &result, &err);

	if (status == HOTPATCH_E_BUSY && hp_now_ms() < pending->until_ms)
		return false;
	if (status) {
		undo(pending);
		hp_connection_refuse(connection, pending->id, &err);
	} else {
		hp_connection_answer(connection, pending->id, result);
	}
	finish(connection, pending);
	return true;
}

static struct hp_pending *free_place(struct hp_connection *connection)
{
	size_t i;

	for (i = 0; i < HP_PENDING_LIMIT; i++) {
		if (connection->pending[i].kind == HP_PENDING_FREE)
			return &connection->pending[i];
	}
	return NULL;
}

void hp_pending_start(struct hp_connection *connection,
		      const struct hp_pending *request)
{
	struct hp_pending *place = free_place(connection);
	struct hp_pending refused = *request;
	struct hotpatch_error err;

	if (place) {
		*place = *request;
		serve(connection, place);
		return;
	}
	hp_error(&err, HOTPATCH_E_LIMIT, 0, "",
		 "This connection has %d requests outstanding already.",
		 HP_PENDING_LIMIT);
	undo(&refused);
	hp_connection_refuse(connection, refused.id, &err);
	finish(connection, &refused);
}

bool hp_pending_advance(struct hp_connection *connection)
{
	bool left = false;
	size_t i;

	for (i = 0; i < HP_PENDING_LIMIT; i++) {
		if (connection->pending[i].kind != HP_PENDING_FREE)
			left |= !serve(connection, &connection->pending[i]);
	}
	return left;
}

void hp_pending_cancel(struct hp_connection *connection)
{
	size_t i;

	for (i = 0; i < HP_PENDING_LIMIT; i++) {
		undo(&connection->pending[i]);
		finish(connection, &connection->pending[i]);
	}
}
