/* SPDX-License-Identifier: MIT */
/*
 * Requests whose answer has to wait: changes, which the worker makes, and
 * waits for a patch to get somewhere, at which the server looks now and then.
 * None keeps it from anything else.
 */
#include "connection.h"

#include "../patch.h"
#include "../status.h"

static void release(struct hp_wait *wait)
{
	hp_patch_release(wait->patch);
	json_decref(wait->id);
	json_decref(wait->params);
	*wait = (struct hp_wait){0};
}

/* The patch is asked for again more often than not: see @recent. */
static void remember(struct hp_connection *connection,
		     struct hotpatch_patch **patch)
{
	if (!*patch)
		return;
	hp_patch_release(connection->recent);
	connection->recent = *patch;
	*patch = NULL;
	hp_worker_kick(connection->worker);
}

static void answer_change(struct hp_connection *connection,
			  struct hp_change *change)
{
	if (change->status) {
		hp_connection_refuse(connection, change->id, &change->err);
	} else {
		hp_connection_answer(connection, change->id, change->result);
		change->result = NULL;
	}
	remember(connection, &change->patch);
	hp_change_release(change);
}

/* What came before it has been begun, or it would look at the past. */
static bool has_begun(struct hp_connection *connection, struct hp_wait *wait)
{
	if (!wait->begun)
		wait->begun = !hp_worker_owes(connection->worker, connection,
					      wait->after);
	return wait->begun;
}

/* To have gone was the goal, or is too late for it. */
static enum hotpatch_status look_at_gone(const struct hp_wait *wait,
					 json_t **result,
					 struct hotpatch_error *err)
{
	if (wait->goal == HOTPATCH_HEALTHY)
		return hp_change_report_lost(wait->name, err);
	return hp_change_report_gone(wait->name, result, err);
}

/* E_BUSY: not yet. */
static enum hotpatch_status look(struct hp_connection *connection,
				 struct hp_wait *wait, json_t **result,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status;

	if (!has_begun(connection, wait)) {
		if (hp_now_ms() < wait->until_ms)
			return HOTPATCH_E_BUSY;
		return hp_error(err, HOTPATCH_E_TIMEOUT, 0, wait->name,
				"A change that was asked for before has not "
				"begun.");
	}
	if (!wait->patch && hotpatch_patch_find(wait->name, &wait->patch))
		return look_at_gone(wait, result, err);
	status = hp_patch_look(wait->patch, wait->goal, err);
	if (status == HOTPATCH_E_BUSY && hp_now_ms() >= wait->until_ms)
		status = hp_patch_time_is_up(wait->patch, err);
	if (!status)
		*result = hp_change_report(wait->patch, false);
	return status;
}

/* True when it is answered and over. */
static bool serve(struct hp_connection *connection, struct hp_wait *wait)
{
	struct hotpatch_error err = {0};
	json_t *result = NULL;
	enum hotpatch_status status = look(connection, wait, &result, &err);

	if (status == HOTPATCH_E_BUSY)
		return false;
	if (status)
		hp_connection_refuse(connection, wait->id, &err);
	else
		hp_connection_answer(connection, wait->id, result);
	remember(connection, &wait->patch);
	release(wait);
	return true;
}

static size_t count(const struct hp_connection *connection)
{
	size_t waits = 0;
	size_t i;

	for (i = 0; i < HP_PENDING_LIMIT; i++)
		waits += connection->waits[i].id != NULL;
	return waits +
	       hp_worker_owes(connection->worker, connection, UINT64_MAX);
}

static enum hotpatch_status check_room(const struct hp_connection *connection,
				       struct hotpatch_error *err)
{
	if (count(connection) < HP_PENDING_LIMIT)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_LIMIT, 0, "",
			"This connection has %d requests outstanding already.",
			HP_PENDING_LIMIT);
}

enum hotpatch_status hp_pending_change(struct hp_connection *connection,
				       struct hp_change *change,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status = check_room(connection, err);
	uint64_t number;

	if (status)
		return status;
	number = hp_worker_submit(connection->worker, connection, change);
	if (!number)
		return hp_error(err, HOTPATCH_E_QUEUE, 0, "",
				"%d changes wait in this process already.",
				HP_CHANGE_LIMIT);
	*change = (struct hp_change){.fds = {-1, -1}};
	connection->last_change = number;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_pending_wait(struct hp_connection *connection,
				     const struct hp_wait *wait,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = check_room(connection, err);
	struct hp_wait *place = connection->waits;

	if (status)
		return status;
	while (place->id)
		place++;
	*place = *wait;
	place->after = connection->last_change;
	json_incref(place->id);
	json_incref(place->params);
	serve(connection, place);
	return HOTPATCH_OK;
}

bool hp_pending_advance(struct hp_connection *connection)
{
	struct hp_change change;
	size_t i;

	while (hp_worker_take(connection->worker, connection, &change))
		answer_change(connection, &change);
	for (i = 0; i < HP_PENDING_LIMIT; i++) {
		if (connection->waits[i].id)
			serve(connection, &connection->waits[i]);
	}
	return count(connection) > 0;
}

void hp_pending_cancel(struct hp_connection *connection)
{
	size_t i;

	hp_worker_drop(connection->worker, connection);
	for (i = 0; i < HP_PENDING_LIMIT; i++)
		release(&connection->waits[i]);
}
