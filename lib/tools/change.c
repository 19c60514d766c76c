/* SPDX-License-Identifier: MIT */
/*
 * The commands that change something, and wait: apply, revert and wait.
 */
#include "change.h"
#include "several.h"
#include "verify.h"

#include "../status.h"

#include <string.h>

static bool is_goal(const char *goal, const char *name)
{
	return !strcmp(goal, name);
}

static const char *goal_of(const struct hp_options *options,
			   const char *otherwise)
{
	return options->goal ? options->goal : otherwise;
}

enum hotpatch_status hp_change_await(struct hp_session *session,
				     const char *name, const char *goal,
				     long timeout_ms, json_t **result,
				     struct hotpatch_error *err)
{
	const struct hp_request_options waiting = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = timeout_ms < 0 ? -1 : timeout_ms + HP_ANSWER_MS,
		.progress = true,
	};
	json_t *params = hp_wait_params(name, goal, timeout_ms);
	bool already = json_is_true(json_object_get(*result, "already"));
	json_t *end;
	enum hotpatch_status status;

	status = hp_session_call(session, "wait", params, &waiting, &end, err);
	if (status)
		return status;
	if (*result)
		json_object_set_new(end, "already", json_boolean(already));
	json_decref(*result);
	*result = end;
	return hp_goal_check(goal, end, err);
}

static double milliseconds(const json_t *patch, const char *key)
{
	return (double)hp_json_number(patch, key) / 1000;
}

void hp_print_applied(const json_t *result)
{
	const json_t *patch = json_object_get(result, "patch");
	const char *name = hp_json_text(patch, "name");
	const char *state = hp_json_text(patch, "state");
	char text[128];

	if (*hp_canary_text(patch, text, sizeof(text)))
		hp_print("%s is %s%s\n", name,
			 json_is_true(json_object_get(result, "already")) ?
				 "already " :
				 "",
			 text);
	else if (json_is_true(json_object_get(result, "already")))
		hp_print("%s is already %s\n", name, state);
	else if (!is_goal(state, "active"))
		hp_print("%s is %s\n", name, state);
	else
		hp_print("%s is active: %d functions, loaded in %.2f ms, "
			 "drained in %.3f ms\n",
			 name, (int)hp_json_number(patch, "functions"),
			 milliseconds(patch, "open_us"),
			 milliseconds(patch, "drain_us"));
}

static void print_reverted(const json_t *result)
{
	const json_t *patch = json_object_get(result, "patch");
	const char *name = hp_json_text(patch, "name");
	const char *state = hp_json_text(patch, "state");
	bool closed = is_goal(state, "closed");

	if (json_is_true(json_object_get(result, "already")))
		hp_print("%s is already %s\n", name,
			 closed ? "reverted and unmapped" : state);
	else if (!closed)
		hp_print("%s is %s\n", name, state);
	else
		hp_print("%s is reverted: drained in %.3f ms, unmapped in "
			 "%.2f ms\n",
			 name, milliseconds(patch, "drain_us"),
			 milliseconds(patch, "unmap_us"));
}

static void show(const struct hp_options *options, json_t *result,
		 void (*print)(const json_t *result))
{
	if (options->json)
		hp_print_json(result);
	else
		print(result);
	if (!options->json)
		json_decref(result);
}

static enum hotpatch_status begin_apply(struct hp_session *session,
					const struct hp_options *options,
					json_t **result,
					struct hotpatch_error *err)
{
	struct hp_request_options request = {
		.timeout_ms = options->timeout_ms + options->rendezvous_ms +
			      HP_ANSWER_MS,
	};
	struct hp_bundle_files files;
	enum hotpatch_status status;
	json_t *params;

	status = hp_bundle_open(options, hp_wants_signature(session), &files,
				err);
	if (status)
		return status;
	request.bundle_fd = files.bundle_fd;
	request.signature_fd = files.signature_fd;
	params = hp_change_params(options);
	json_object_update_new(
		params, hp_bundle_params(options, files.signature_fd >= 0));
	status = hp_session_call(session, "apply", params, &request, result,
				 err);
	hp_bundle_close(&files);
	return status;
}

static enum hotpatch_status apply(struct hp_session *session,
				  const struct hp_options *options,
				  json_t **result, struct hotpatch_error *err)
{
	bool verified = hp_verify_is_wanted(options);
	const char *goal =
		verified ?
			"active" :
			goal_of(options, options->canary ? "none" : "active");
	enum hotpatch_status status = hp_change_access(session, options, err);
	char name[256];

	if (!status)
		status = begin_apply(session, options, result, err);
	if (status || is_goal(goal, "none"))
		return status;
	hp_text_copy(name, sizeof(name),
		     hp_json_text(json_object_get(*result, "patch"), "name"));
	status = hp_change_await(session, name, goal,
				 hp_change_wait_ms(options), result, err);
	if (!status && verified)
		status = hp_verify_one(session, options, name, result, err);
	return status;
}

enum hotpatch_status hp_apply_one(struct hp_session *session,
				  const struct hp_options *options,
				  json_t **result, struct hotpatch_error *err)
{
	enum hotpatch_status status = apply(session, options, result, err);

	return !status && options->keep ? hp_keep(session, *result, err) :
					  status;
}

enum hotpatch_status hp_command_apply(const struct hp_options *options,
				      struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result = NULL;
	enum hotpatch_status status;

	if (hp_wants_several(options) && options->keep)
		return hp_error(err, HOTPATCH_E_USAGE, 0, "apply",
				"apply keeps what it applied to one process; "
				"of several, use enable --now.");
	if (hp_wants_several(options))
		return hp_apply_several(options, err);
	status = hp_session_open(options, &session, err);
	if (!status && options->dry_run)
		status = hp_check_bundle(&session, options, err);
	else if (!status)
		status = hp_apply_one(&session, options, &result, err);
	if (!status && result)
		show(options, json_incref(result), hp_print_applied);
	json_decref(result);
	hp_session_close(&session);
	return status;
}

static enum hotpatch_status begin_revert(struct hp_session *session,
					 const struct hp_options *options,
					 json_t **result,
					 struct hotpatch_error *err)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = options->timeout_ms + HP_ANSWER_MS,
		.progress = true,
	};
	json_t *params = hp_change_params(options);

	if (options->all_patches)
		json_object_set_new(params, "all", json_true());
	else
		json_object_set_new(params, "name",
				    hp_wire_text(options->operand));
	return hp_session_call(session, "revert", params, &request, result,
			       err);
}

static enum hotpatch_status await_revert(struct hp_session *session,
					 const struct hp_options *options,
					 const char *name, json_t **result,
					 struct hotpatch_error *err)
{
	const char *goal = goal_of(options, "unmapped");
	const json_t *patch = json_object_get(*result, "patch");

	if (is_goal(goal, "none") ||
	    is_goal(hp_json_text(patch, "state"), "closed"))
		return HOTPATCH_OK;
	return hp_change_await(session, name, goal, hp_change_wait_ms(options),
			       result, err);
}

/* Turns the names in *@result into what became of each. */
static enum hotpatch_status await_all(struct hp_session *session,
				      const struct hp_options *options,
				      json_t *result,
				      struct hotpatch_error *err)
{
	json_t *names = json_incref(json_object_get(result, "patches"));
	json_t *patches = json_array();
	enum hotpatch_status status = HOTPATCH_OK;
	json_t *name;
	json_t *one;
	size_t i;

	json_array_foreach(names, i, name)
	{
		one = json_pack("{s:{s:O}, s:b}", "patch", "name", name,
				"already", 0);
		if (!status)
			status = await_revert(session, options,
					      json_string_value(name), &one,
					      err);
		json_array_append(patches, json_object_get(one, "patch"));
		json_decref(one);
	}
	json_object_set_new(result, "patches", patches);
	json_decref(names);
	return status;
}

static void print_all_reverted(const json_t *result)
{
	const json_t *patches = json_object_get(result, "patches");
	const char *state;
	json_t *patch;
	size_t i;

	if (!json_array_size(patches))
		hp_print("no patch is active\n");
	json_array_foreach(patches, i, patch)
	{
		state = hp_json_text(patch, "state");
		hp_print("%s is %s\n", hp_json_text(patch, "name"),
			 is_goal(state, "closed") ? "reverted and unmapped" :
			 *state			  ? state :
						    "reverting");
	}
}

/* What a revert would begin with: nothing is asked of the process but its
 * status. */
static enum hotpatch_status foresee_revert(struct hp_session *session,
					   const struct hp_options *options,
					   json_t **result,
					   struct hotpatch_error *err)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = HP_ANSWER_MS,
	};
	enum hotpatch_status status;
	json_t *facts;

	status =
		hp_session_call(session, "status", NULL, &request, &facts, err);
	if (status)
		return status;
	*result = hp_foresee_revert(facts, options);
	json_decref(facts);
	if (!options->all_patches &&
	    !json_array_size(json_object_get(*result, "patches")))
		return hp_error(err, HOTPATCH_E_NO_PATCH, 0, options->operand,
				"No patch is called %s.", options->operand);
	return HOTPATCH_OK;
}

static void print_foreseen(const json_t *result)
{
	const json_t *patches = json_object_get(result, "patches");
	json_t *patch;
	size_t i;

	if (!json_array_size(patches))
		hp_print("no patch is active\n");
	json_array_foreach(patches, i, patch)
	{
		if (json_is_true(json_object_get(patch, "already")))
			hp_print("%s is already %s\n",
				 hp_json_text(patch, "name"),
				 hp_json_text(patch, "state"));
		else
			hp_print("%s, now %s, would be reverted\n",
				 hp_json_text(patch, "name"),
				 hp_json_text(patch, "state"));
	}
	hp_print("nothing was changed\n");
}

static enum hotpatch_status revert(struct hp_session *session,
				   const struct hp_options *options,
				   json_t **result, struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_change_access(session, options, err);

	if (!status)
		status = begin_revert(session, options, result, err);
	if (!status && options->all_patches)
		return await_all(session, options, *result, err);
	if (!status)
		status = await_revert(session, options, options->operand,
				      result, err);
	return status;
}

enum hotpatch_status hp_revert_one(struct hp_session *session,
				   const struct hp_options *options,
				   json_t **result, struct hotpatch_error *err)
{
	return revert(session, options, result, err);
}

enum hotpatch_status hp_command_revert(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result = NULL;
	enum hotpatch_status status;

	if (hp_wants_several(options))
		return hp_revert_several(options, err);
	status = hp_session_open(options, &session, err);
	if (!status && options->dry_run)
		status = foresee_revert(&session, options, &result, err);
	else if (!status)
		status = revert(&session, options, &result, err);
	if (!status)
		show(options, json_incref(result),
		     options->dry_run	  ? print_foreseen :
		     options->all_patches ? print_all_reverted :
					    print_reverted);
	json_decref(result);
	hp_session_close(&session);
	return status;
}

static void print_waited(const json_t *result)
{
	const json_t *patch = json_object_get(result, "patch");

	hp_print("%s is %s\n", hp_json_text(patch, "name"),
		 hp_json_text(patch, "state"));
}

enum hotpatch_status hp_command_wait(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result = NULL;
	enum hotpatch_status status;

	if (hp_wants_several(options))
		return hp_wait_several(options, err);
	status = hp_session_open(options, &session, err);
	if (!status)
		status = hp_change_await(
			&session, options->operand, goal_of(options, "drained"),
			options->timeout_ms ? options->timeout_ms : -1, &result,
			err);
	if (!status)
		show(options, json_incref(result), print_waited);
	json_decref(result);
	hp_session_close(&session);
	return status;
}
