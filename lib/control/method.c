/* SPDX-License-Identifier: MIT */
/*
 * The methods of the control protocol: who may call them, what they take, and
 * what they ask of the engine.
 */
#include "connection.h"

#include "../event.h"
#include "../observe/metrics.h"
#include "../status.h"
#include "report.h"
#include "share.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_MS 86400000 /* a day */

struct call {
	struct hp_connection *connection;
	const struct hp_request *request;
	struct hotpatch_error *err;
};

struct method {
	const char *name;
	enum hp_access access;
	/* On success it has answered, or will. */
	enum hotpatch_status (*serve)(const struct call *call);
};

static void answer(const struct call *call, json_t *result)
{
	hp_connection_answer(call->connection, call->request->id, result);
}

/* @change has all but what it is asked by. Takes it over in any case. */
static enum hotpatch_status start(const struct call *call,
				  struct hp_change *change)
{
	enum hotpatch_status status;

	change->id = json_incref(call->request->id);
	change->params = json_incref(call->request->params);
	status = hp_pending_change(call->connection, change, call->err);
	hp_change_release(change);
	return status;
}

static enum hotpatch_status serve_hello(const struct call *call)
{
	answer(call, hp_report_greeting(call->connection->access));
	return HOTPATCH_OK;
}

static enum hotpatch_status serve_list(const struct call *call)
{
	const json_t *params = call->request->params;
	json_int_t offset = 0;
	json_int_t limit = HP_REPORT_SLOTS;
	enum hotpatch_status status;

	status = hp_params_number(params, "offset", 0, INT_MAX, &offset,
				  call->err);
	if (!status)
		status = hp_params_number(params, "limit", 1, HP_REPORT_SLOTS,
					  &limit, call->err);
	if (!status)
		answer(call, hp_report_slots((size_t)offset, (size_t)limit));
	return status;
}

static enum hotpatch_status serve_status(const struct call *call)
{
	answer(call, hp_report_status());
	return HOTPATCH_OK;
}

static enum hotpatch_status serve_events(const struct call *call)
{
	const json_t *params = call->request->params;
	json_int_t after = 0;
	json_int_t limit = HP_REPORT_EVENTS;
	enum hotpatch_status status;

	status = hp_params_number(params, "after", 0, LLONG_MAX, &after,
				  call->err);
	if (!status)
		status = hp_params_number(params, "limit", 1, HP_REPORT_EVENTS,
					  &limit, call->err);
	if (!status)
		answer(call, hp_report_events((uint64_t)after, (size_t)limit));
	return status;
}

/* From now on, unless an older event is named. */
static enum hotpatch_status serve_subscribe(const struct call *call)
{
	json_int_t after = (json_int_t)hp_event_last();
	enum hotpatch_status status;

	status = hp_params_number(call->request->params, "after", 0, LLONG_MAX,
				  &after, call->err);
	if (status)
		return status;
	if (hp_event_announce() < 0)
		return hp_error(call->err, HOTPATCH_E_LIMIT, 0, "",
				"There is no descriptor to watch events with.");
	call->connection->subscribed = true;
	call->connection->cursor = (uint64_t)after;
	answer(call, json_pack("{s:I}", "after", after));
	return HOTPATCH_OK;
}

static enum hotpatch_status serve_metrics(const struct call *call)
{
	const json_t *params = call->request->params;
	struct hotpatch_metrics_options options = {.size = sizeof(options)};
	enum hotpatch_status status;
	size_t length = 0;
	char *text;

	status = hp_params_flag(params, "textfile", &options.textfile,
				call->err);
	if (!status)
		status = hp_params_flag(params, "labelled", &options.labelled,
					call->err);
	if (status)
		return status;
	text = hp_metrics_text(&options, &length);
	answer(call, text ? json_pack("{s:s}", "text", text) : NULL);
	free(text);
	return HOTPATCH_OK;
}

static enum hotpatch_status read_policy(const struct call *call,
					enum hotpatch_policy *policy)
{
	static const char *const names[] = {
		[HOTPATCH_REVERSE] = "reverse",
		[HOTPATCH_WAIT] = "wait",
		[HOTPATCH_FORCE] = "force",
	};
	const char *text = names[HOTPATCH_REVERSE];
	enum hotpatch_status status;
	size_t i;

	status = hp_params_text(call->request->params, "policy", &text,
				call->err);
	if (status)
		return status;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i])) {
			*policy = (enum hotpatch_policy)i;
			return HOTPATCH_OK;
		}
	}
	return hp_error(call->err, HOTPATCH_E_ARGUMENT, 0, "policy",
			"The policy is none of reverse, wait and force.");
}

/* How long the patch is watched afterwards, and for what. */
static enum hotpatch_status
read_probation(const struct call *call, struct hotpatch_apply_options *options)
{
	const struct {
		const char *name;
		unsigned int *place;
	} numbers[] = {
		{"probation_ms", &options->probation_ms},
		{"health_interval_ms", &options->health_interval_ms},
		{"health_errors", &options->health_errors},
		{"health_latency_percent", &options->health_latency_percent},
		{"health_tail_percent", &options->health_tail_percent},
	};
	enum hotpatch_status status = HOTPATCH_OK;
	json_int_t value;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers) && !status; i++) {
		value = 0;
		status = hp_params_number(call->request->params,
					  numbers[i].name, 0, LONGEST_MS,
					  &value, call->err);
		*numbers[i].place = (unsigned int)value;
	}
	return status;
}

/* How long to move tasks, and until when to wait for the turn to begin. */
static enum hotpatch_status read_options(const struct call *call,
					 struct hp_change *change)
{
	const json_t *params = call->request->params;
	struct hotpatch_apply_options *options = &change->options;
	json_int_t deadline_ms = 0;
	json_int_t turn_ms = 0;
	json_int_t rendezvous_ms = 0;
	enum hotpatch_status status;

	options->size = sizeof(*options);
	status = hp_params_number(params, "deadline_ms", 0, LONGEST_MS,
				  &deadline_ms, call->err);
	if (!status)
		status = hp_params_number(params, "turn_ms", 0, LONGEST_MS,
					  &turn_ms, call->err);
	if (!status)
		status = hp_params_number(params, "rendezvous_ms", 0,
					  LONGEST_MS, &rendezvous_ms,
					  call->err);
	if (!status)
		status = hp_params_flag(params, "adopt_sleepers",
					&options->adopt_sleepers, call->err);
	if (!status)
		status = read_policy(call, &options->policy);
	if (!status)
		status = read_probation(call, options);
	options->deadline_ms = (unsigned int)deadline_ms;
	options->rendezvous_ms = (unsigned int)rendezvous_ms;
	change->until_ms = hp_now_ms() + (uint64_t)turn_ms;
	return status;
}

/* Refused now, if it is no canary, and read again when its turn comes. */
static enum hotpatch_status read_canary(const struct call *call,
					const json_t *canary,
					struct hp_change *change)
{
	struct hp_share share;

	change->canary = canary;
	return canary ? hp_share_read(canary, &share, call->err) : HOTPATCH_OK;
}

static enum hotpatch_status read_apply(const struct call *call,
				       struct hp_change *change)
{
	enum hotpatch_status status = read_options(call, change);

	if (status)
		return status;
	return read_canary(
		call, json_object_get(call->request->params, "canary"), change);
}

/* Whether an apply with a canary is asked about. */
static enum hotpatch_status read_foreseen(const struct call *call,
					  struct hp_change *change)
{
	const json_t *canary = json_object_get(call->request->params, "canary");

	change->open.canary = canary != NULL;
	return read_canary(call, canary, change);
}

/* What an apply takes besides. */
static enum hotpatch_status read_bundle(const struct call *call,
					struct hp_change *change)
{
	const json_t *params = call->request->params;
	bool with_signature = false;
	enum hotpatch_status status;

	status =
		hp_params_flag(params, "signature", &with_signature, call->err);
	hp_connection_take(call->connection, with_signature, change->fds);
	if (!status &&
	    (change->fds[0] < 0 || (with_signature && change->fds[1] < 0)))
		status = hp_error(call->err, HOTPATCH_E_ARGUMENT, 0, "",
				  "The descriptor of the bundle or of its "
				  "signature did not come along.");
	if (!status)
		status = hp_params_flag(params, "allow_constructors",
					&change->open.allow_constructors,
					call->err);
	if (!status)
		status = hp_params_flag(params, "rollback",
					&change->open.rollback, call->err);
	if (!status)
		status = hp_params_flag(params, "forgive",
					&change->open.forgive, call->err);
	if (!status)
		status = hp_params_text(params, "file", &change->name,
					call->err);
	return status;
}

static enum hotpatch_status
serve_bundle(const struct call *call, enum hp_change_kind kind, bool check_only)
{
	struct hp_change change = {
		.kind = kind,
		.fds = {-1, -1},
		.name = "the bundle",
		.open.size = sizeof(change.open),
		.open.check_only = check_only,
	};
	enum hotpatch_status status = read_bundle(call, &change);

	if (!status && kind == HP_CHANGE_APPLY)
		status = read_apply(call, &change);
	if (!status && check_only)
		status = read_foreseen(call, &change);
	if (!status)
		return start(call, &change);
	hp_change_release(&change);
	return status;
}

static enum hotpatch_status serve_check(const struct call *call)
{
	return serve_bundle(call, HP_CHANGE_STAGE, true);
}

static enum hotpatch_status serve_stage(const struct call *call)
{
	return serve_bundle(call, HP_CHANGE_STAGE, false);
}

static enum hotpatch_status read_name(const struct call *call,
				      const char **name)
{
	enum hotpatch_status status;

	*name = NULL;
	status = hp_params_text(call->request->params, "name", name, call->err);
	if (status || *name)
		return status;
	return hp_error(call->err, HOTPATCH_E_ARGUMENT, 0, "name",
			"The patch's name is missing.");
}

/* With a name, one that was staged; else the bundle that came along. */
static enum hotpatch_status serve_apply(const struct call *call)
{
	struct hp_change change = {
		.kind = HP_CHANGE_APPLY_STAGED,
		.fds = {-1, -1},
	};
	enum hotpatch_status status;

	if (!json_object_get(call->request->params, "name"))
		return serve_bundle(call, HP_CHANGE_APPLY, false);
	status = read_apply(call, &change);
	if (!status)
		status = read_name(call, &change.name);
	return status ? status : start(call, &change);
}

static enum hotpatch_status serve_canary(const struct call *call)
{
	struct hp_change change = {
		.kind = HP_CHANGE_CANARY,
		.fds = {-1, -1},
	};
	const json_t *params = call->request->params;
	bool all = false;
	enum hotpatch_status status;

	status = hp_params_flag(params, "all", &all, call->err);
	if (!status)
		status = read_name(call, &change.name);
	if (!status)
		status = read_canary(call, all ? NULL : params, &change);
	return status ? status : start(call, &change);
}

static enum hotpatch_status serve_revert(const struct call *call)
{
	struct hp_change change = {
		.kind = HP_CHANGE_REVERT,
		.fds = {-1, -1},
	};
	bool all = false;
	enum hotpatch_status status;

	status = read_options(call, &change);
	if (!status)
		status = hp_params_flag(call->request->params, "all", &all,
					call->err);
	if (!status && !all)
		status = read_name(call, &change.name);
	if (!status)
		status = hp_params_text(call->request->params, "unhealthy",
					&change.unhealthy, call->err);
	if (status)
		return status;
	if (all) {
		change.kind = HP_CHANGE_REVERT_ALL;
		change.names = json_array();
	}
	return start(call, &change);
}

/* What shall be on, without a descriptor that comes along. */
static enum hotpatch_status serve_recorded(const struct call *call,
					   enum hp_change_kind kind)
{
	const json_t *params = call->request->params;
	struct hp_change change = {.kind = kind, .fds = {-1, -1}};
	enum hotpatch_status status = HOTPATCH_OK;
	bool all = false;

	if (kind == HP_CHANGE_CONVERGE)
		status = read_options(call, &change);
	if (!status)
		status = hp_params_flag(params, "exact", &change.exact,
					call->err);
	if (!status)
		status = hp_params_flag(params, "all", &all, call->err);
	if (!status && !all &&
	    (kind == HP_CHANGE_DESIRE || kind == HP_CHANGE_UNDESIRE))
		status = read_name(call, &change.name);
	return status ? status : start(call, &change);
}

static enum hotpatch_status serve_desire(const struct call *call)
{
	return serve_recorded(call, HP_CHANGE_DESIRE);
}

static enum hotpatch_status serve_undesire(const struct call *call)
{
	return serve_recorded(call, HP_CHANGE_UNDESIRE);
}

static enum hotpatch_status serve_desired(const struct call *call)
{
	return serve_recorded(call, HP_CHANGE_DESIRED);
}

static enum hotpatch_status serve_converge(const struct call *call)
{
	return serve_recorded(call, HP_CHANGE_CONVERGE);
}

static enum hotpatch_status serve_verify(const struct call *call)
{
	return serve_recorded(call, HP_CHANGE_VERIFY);
}

static enum hotpatch_status read_goal(const struct call *call,
				      enum hotpatch_goal *goal)
{
	static const char *const names[] = {
		[HOTPATCH_DRAINED] = "drained",
		[HOTPATCH_UNMAPPED] = "unmapped",
		[HOTPATCH_HEALTHY] = "healthy",
	};
	const char *text = names[HOTPATCH_DRAINED];
	enum hotpatch_status status;
	size_t i;

	status =
		hp_params_text(call->request->params, "goal", &text, call->err);
	if (status)
		return status;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i])) {
			*goal = (enum hotpatch_goal)i;
			return HOTPATCH_OK;
		}
	}
	return hp_error(call->err, HOTPATCH_E_ARGUMENT, 0, "goal",
			"The goal is none of drained, unmapped and healthy.");
}

static enum hotpatch_status serve_wait(const struct call *call)
{
	const struct hp_request *request = call->request;
	struct hp_wait wait = {
		.id = request->id,
		.params = request->params,
		.until_ms = HP_FOREVER_MS,
	};
	json_int_t timeout_ms = -1;
	enum hotpatch_status status;

	status = hp_params_number(request->params, "timeout_ms", -1, LONGEST_MS,
				  &timeout_ms, call->err);
	if (!status)
		status = read_goal(call, &wait.goal);
	if (!status)
		status = read_name(call, &wait.name);
	if (status)
		return status;
	if (timeout_ms >= 0)
		wait.until_ms = hp_now_ms() + (uint64_t)timeout_ms;
	return hp_pending_wait(call->connection, &wait, call->err);
}

static const struct method methods[] = {
	{"hello", HP_ACCESS_READ, serve_hello},
	{"ping", HP_ACCESS_READ, serve_hello},
	{"list", HP_ACCESS_READ, serve_list},
	{"status", HP_ACCESS_READ, serve_status},
	{"events", HP_ACCESS_READ, serve_events},
	{"metrics", HP_ACCESS_READ, serve_metrics},
	{"subscribe", HP_ACCESS_READ, serve_subscribe},
	{"wait", HP_ACCESS_READ, serve_wait},
	{"check", HP_ACCESS_ADMIN, serve_check},
	{"stage", HP_ACCESS_ADMIN, serve_stage},
	{"apply", HP_ACCESS_ADMIN, serve_apply},
	{"canary", HP_ACCESS_ADMIN, serve_canary},
	{"revert", HP_ACCESS_ADMIN, serve_revert},
	{"desire", HP_ACCESS_ADMIN, serve_desire},
	{"undesire", HP_ACCESS_ADMIN, serve_undesire},
	{"desired", HP_ACCESS_ADMIN, serve_desired},
	{"converge", HP_ACCESS_ADMIN, serve_converge},
	{"verify", HP_ACCESS_ADMIN, serve_verify},
};

static enum hotpatch_status serve_method(const struct call *call)
{
	const char *name = call->request->method;
	const struct method *method = NULL;
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (!strcmp(methods[i].name, name))
			method = &methods[i];
	}
	if (!method)
		return hp_error(call->err, HOTPATCH_E_PROTOCOL, 0, name,
				"No method is called %s.", name);
	if (call->connection->access < method->access)
		return hp_error(call->err, HOTPATCH_E_PERMISSION, 0, name,
				"Only the process's owner and root may call "
				"%s.",
				name);
	return method->serve(call);
}

void hp_method_call(struct hp_connection *connection, const char *line,
		    size_t size)
{
	struct hp_request request;
	struct hotpatch_error err = {0};
	const struct call call = {connection, &request, &err};

	if (hp_control_parse_line(line, size, &request, &err) ||
	    serve_method(&call))
		hp_connection_refuse(connection, request.id, &err);
	hp_request_release(&request);
}
