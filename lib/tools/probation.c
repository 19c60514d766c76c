/* SPDX-License-Identifier: MIT */
/*
 * Until the probation is over, in one process or in several: the operator's
 * command is run now and then, and the process is asked in between. What
 * becomes of the patch when this command ends early is the process's own
 * affair: it goes on with the probation by itself.
 */
#include "change.h"
#include "several.h"
#include "verify.h"

#include "../status.h"

#include <string.h>
#include <time.h>

/* From the end of one run of the command to the beginning of the next. */
#define PAUSE_MS 1000
/* How long to wait for the process in one go: then signals are looked for. */
#define SLICE_MS 200
/* For the answer, and the way back. */
#define GRACE_MS 10000

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool hp_verify_is_wanted(const struct hp_options *options)
{
	if (options->goal)
		return !strcmp(options->goal, "healthy");
	return options->verify || options->probation_ms;
}

static enum hotpatch_status tell_interrupted(const struct hp_options *options,
					     const char *name,
					     struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_INTERRUPTED, 0, name,
			"Interrupted: %s stays active%s.", name,
			options->probation_ms ? ", and its probation goes on" :
						"");
}

static enum hotpatch_status ask(struct hp_session *session, const char *name,
				long timeout_ms, json_t **result,
				struct hotpatch_error *err)
{
	const struct hp_request_options waiting = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = timeout_ms + HP_ANSWER_MS,
		.progress = true,
	};
	json_t *params = hp_wait_params(name, "healthy", timeout_ms);
	bool already = json_is_true(json_object_get(*result, "already"));
	json_t *end = NULL;
	enum hotpatch_status status;

	status = hp_session_call(session, "wait", params, &waiting, &end, err);
	if (status)
		return status;
	json_object_set_new(end, "already", json_boolean(already));
	json_decref(*result);
	*result = end;
	return hp_goal_check("healthy", end, err);
}

/* The command failed: @err, which says why from then on in the process, too. */
static enum hotpatch_status take_back(struct hp_session *session,
				      const char *name, json_t **result,
				      struct hotpatch_error *err)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = GRACE_MS + HP_ANSWER_MS,
		.progress = true,
	};
	const struct hotpatch_error why = *err;
	json_t *params = json_pack("{s:o, s:o, s:s, s:i}", "name",
				   hp_wire_text(name), "unhealthy",
				   hp_wire_text(why.sentence), "policy", "wait",
				   "turn_ms", GRACE_MS);
	json_t *begun = NULL;
	enum hotpatch_status status;

	status = hp_session_call(session, "revert", params, &request, &begun,
				 err);
	json_decref(begun);
	if (!status)
		status = ask(session, name, GRACE_MS, result, err);
	if (status == HOTPATCH_E_UNHEALTHY)
		return status;
	return hp_error(err, HOTPATCH_E_UNHEALTHY, 0, name,
			"%.120s; %s is not taken back yet: %.80s", why.sentence,
			name, status ? err->sentence : "it is active");
}

/* Runs the command if it is time to. What it prints is all that is seen
 * then. */
static enum hotpatch_status verify(const struct hp_options *options,
				   const struct hp_verify_subject *subject,
				   long *next_ms, struct hotpatch_error *err)
{
	enum hotpatch_status status;

	if (now_ms() < *next_ms)
		return HOTPATCH_OK;
	status = hp_verify_run(options, subject, err);
	*next_ms = now_ms() + PAUSE_MS;
	return status;
}

static enum hotpatch_status verify_one(struct hp_session *session,
				       const struct hp_options *options,
				       const struct hp_verify_subject *subject,
				       json_t **result,
				       struct hotpatch_error *err)
{
	const long end_ms = now_ms() + options->probation_ms + GRACE_MS;
	enum hotpatch_status status;
	long next_ms = 0;

	do {
		status = verify(options, subject, &next_ms, err);
		if (status == HOTPATCH_E_UNHEALTHY)
			return take_back(session, subject->name, result, err);
		if (!status)
			status = ask(session, subject->name, SLICE_MS, result,
				     err);
	} while (status == HOTPATCH_E_TIMEOUT && now_ms() < end_ms &&
		 !hp_verify_is_interrupted());
	if (status && hp_verify_is_interrupted())
		return tell_interrupted(options, subject->name, err);
	return status;
}

/* Of a patch that was there before nothing is asked. */
enum hotpatch_status hp_verify_one(struct hp_session *session,
				   const struct hp_options *options,
				   const char *name, json_t **result,
				   struct hotpatch_error *err)
{
	struct hp_verify_subject subject = {
		.name = name,
		.socket = session->path,
		.pid = (long)hp_json_number(session->greeting, "pid"),
	};
	enum hotpatch_status status;

	if (json_is_true(json_object_get(*result, "already")))
		return HOTPATCH_OK;
	hp_verify_begin();
	status = verify_one(session, options, &subject, result, err);
	hp_verify_end();
	return status;
}

/* ---- Several processes ---- */

static void verify_each(struct hp_fleet *fleet,
			const struct hp_options *options)
{
	struct hp_verify_subject subject;
	struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count && !hp_verify_is_interrupted(); i++) {
		process = &fleet->processes[i];
		if (!process->taking)
			continue;
		subject = (struct hp_verify_subject){
			.name = process->patch,
			.socket = process->found.path,
			.pid = (long)hp_json_number(process->session.greeting,
						    "pid"),
		};
		process->status =
			hp_verify_run(options, &subject, &process->err);
	}
}

static json_t *slice_params(const struct hp_options *options,
			    const struct hp_process *process)
{
	(void)options;
	return hp_wait_params(process->patch, "healthy", SLICE_MS);
}

/* True if one is still on probation, and none has failed. */
static bool ask_each(struct hp_fleet *fleet, const struct hp_options *options)
{
	const struct hp_step step = {
		.method = "wait",
		.params = slice_params,
		.options = options,
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = SLICE_MS + HP_ANSWER_MS,
	};
	struct hp_process *process;
	bool late = false;
	size_t i;

	hp_fleet_step(fleet, &step);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->taking || process->status != HOTPATCH_E_TIMEOUT)
			continue;
		process->status = HOTPATCH_OK;
		late = true;
	}
	return late && !hp_fleet_failed(fleet);
}

static void verify_several(struct hp_fleet *fleet,
			   const struct hp_options *options)
{
	const long end_ms = now_ms() + options->probation_ms + GRACE_MS;
	long next_ms = 0;
	bool late = true;

	while (late && now_ms() < end_ms && !hp_verify_is_interrupted()) {
		if (now_ms() >= next_ms) {
			verify_each(fleet, options);
			next_ms = now_ms() + PAUSE_MS;
		}
		late = !hp_fleet_failed(fleet) && ask_each(fleet, options);
	}
}

bool hp_verify_several(struct hp_fleet *fleet, const struct hp_options *options)
{
	struct hp_process *first = &fleet->processes[0];
	bool stopped;

	hp_verify_begin();
	verify_several(fleet, options);
	stopped = hp_verify_is_interrupted();
	hp_verify_end();
	if (stopped)
		first->status =
			tell_interrupted(options, first->patch, &first->err);
	return !stopped;
}
