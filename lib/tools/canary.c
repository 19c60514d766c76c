/* SPDX-License-Identifier: MIT */
/*
 * The command canary: whom a patch is shown to that has not come to all yet.
 * Of several processes each is told the same.
 */
#include "change.h"
#include "several.h"

#include "../status.h"

#include <stdio.h>
#include <string.h>

const char *hp_canary_text(const json_t *patch, char *text, size_t size)
{
	const json_t *canary = json_object_get(patch, "canary");
	int share = (int)hp_json_number(canary, "share");

	snprintf(text, size, "shown to %d.%02d %% and %d keys, %d tasks now",
		 share / 100, share % 100, (int)hp_json_number(canary, "keys"),
		 (int)hp_json_number(canary, "tasks"));
	return canary ? text : "";
}

static json_t *make_params(const struct hp_options *options)
{
	json_t *params = options->canary ? hp_canary_report(options) :
					   json_pack("{s:b}", "all", 1);

	json_object_set_new(params, "name", hp_wire_text(options->operand));
	return params;
}

static enum hotpatch_status ask(struct hp_session *session,
				const struct hp_options *options,
				json_t **result, struct hotpatch_error *err)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = options->timeout_ms + HP_ANSWER_MS,
		.progress = true,
	};
	const char *otherwise = options->canary ? "none" : "active";
	const char *goal = options->goal ? options->goal : otherwise;
	enum hotpatch_status status = hp_change_access(session, options, err);

	if (!status)
		status = hp_session_call(session, "canary",
					 make_params(options), &request, result,
					 err);
	if (status || !strcmp(goal, "none"))
		return status;
	return hp_change_await(session, options->operand, goal,
			       hp_change_wait_ms(options), result, err);
}

static void print(const json_t *result, const json_t *greeting)
{
	(void)greeting;
	hp_print_applied(result);
}

enum hotpatch_status hp_command_canary(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	static const struct hp_visit visit = {
		.ask = ask,
		.print = print,
	};

	return hp_visit(options, &visit, err);
}
