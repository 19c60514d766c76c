/* SPDX-License-Identifier: MIT */
/*
 * The commands that change something, and wait: apply, revert and wait.
 */
#include "tool.h"

#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the process may need besides the time that it was given: loading a
 * bundle, and answering after a deadline struck. */
#define ANSWER_MS 30000
#define GRACE_MS 5000

static bool is_goal(const char *goal, const char *name)
{
	return !strcmp(goal, name);
}

static const char *goal_of(const struct hp_options *options,
			   const char *otherwise)
{
	return options->goal ? options->goal : otherwise;
}

static enum hotpatch_status check_access(const struct hp_session *session,
					 struct hotpatch_error *err)
{
	if (!is_goal(hp_json_text(session->greeting, "access"), "read"))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_PERMISSION, 0, "",
			"Only the process's owner and root may change "
			"anything.");
}

static json_t *change_params(const struct hp_options *options)
{
	return json_pack("{s:I, s:I, s:I, s:s, s:b}", "deadline_ms",
			 (json_int_t)options->timeout_ms, "turn_ms",
			 (json_int_t)options->timeout_ms, "rendezvous_ms",
			 (json_int_t)options->rendezvous_ms, "policy",
			 options->policy, "adopt_sleepers",
			 options->adopt_sleepers);
}

/* When the policy strikes at the deadline, that is still worth waiting for;
 * under the policy to wait on, nothing more happens then. */
static long wait_ms(const struct hp_options *options)
{
	if (!options->timeout_ms)
		return -1;
	if (is_goal(options->policy, "wait"))
		return options->timeout_ms;
	return options->timeout_ms + GRACE_MS;
}

/* Replaces *@result, which told how @name began, by how it ended. */
static enum hotpatch_status await_goal(struct hp_session *session,
				       const char *name, const char *goal,
				       long timeout_ms, json_t **result,
				       struct hotpatch_error *err)
{
	const struct hp_request_options waiting = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = timeout_ms < 0 ? -1 : timeout_ms + ANSWER_MS,
		.progress = true,
	};
	json_t *params = json_pack("{s:s, s:s, s:I}", "name", name, "goal",
				   goal, "timeout_ms", (json_int_t)timeout_ms);
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
	return HOTPATCH_OK;
}

static double milliseconds(const json_t *patch, const char *key)
{
	return (double)hp_json_number(patch, key) / 1000;
}

static void print_applied(const json_t *result)
{
	const json_t *patch = json_object_get(result, "patch");
	const char *name = hp_json_text(patch, "name");
	const char *state = hp_json_text(patch, "state");

	if (json_is_true(json_object_get(result, "already")))
		hp_print("%s is already %s\n", name, state);
	else if (!is_goal(state, "active"))
		hp_print("%s is %s\n", name, state);
	else
		hp_print("%s is active: %d functions, loaded in %.2f ms, "
			 "drained in %.2f ms\n",
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
		hp_print("%s is reverted: drained in %.2f ms, unmapped in "
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

static enum hotpatch_status open_file(const char *path, int *fd,
				      struct hotpatch_error *err)
{
	int os_error;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd >= 0)
		return HOTPATCH_OK;
	os_error = errno;
	if (os_error == ELOOP)
		return hp_error(err, HOTPATCH_E_NOT_REGULAR, os_error, path,
				"%s is a symbolic link.", path);
	if (os_error == ENOENT || os_error == ENOTDIR)
		return hp_error(err, HOTPATCH_E_NOT_FOUND, os_error, path,
				"%s is not there.", path);
	if (os_error == EACCES || os_error == EPERM)
		return hp_error(err, HOTPATCH_E_PERMISSION, os_error, path,
				"%s may not be read.", path);
	errno = os_error;
	return hp_error(err, HOTPATCH_E_IO, os_error, path,
			"Cannot open %s: %m.", path);
}

/*
 * The signature that was named, or the one beside the bundle; -1 if there is
 * none, because it is the process that judges whether it wants one. A process
 * that does not greet with its policy would take it for the bundle.
 */
static enum hotpatch_status open_signature(const struct hp_session *session,
					   const struct hp_options *options,
					   int *fd, struct hotpatch_error *err)
{
	const char *policy = hp_json_text(session->greeting, "signatures");
	enum hotpatch_status status;
	char beside[PATH_MAX];

	*fd = -1;
	if (!*policy || is_goal(policy, "off"))
		return HOTPATCH_OK;
	if (options->signature)
		return open_file(options->signature, fd, err);
	if (snprintf(beside, sizeof(beside), "%s.minisig", options->operand) >=
	    (int)sizeof(beside))
		return HOTPATCH_OK;
	status = open_file(beside, fd, err);
	return status == HOTPATCH_E_NOT_FOUND ? HOTPATCH_OK : status;
}

/* Sends the request, when both files are open. */
static enum hotpatch_status send_apply(struct hp_session *session,
				       const struct hp_options *options,
				       const struct hp_request_options *request,
				       json_t **result,
				       struct hotpatch_error *err)
{
	json_t *params = change_params(options);

	json_object_set_new(params, "allow_constructors",
			    json_boolean(options->allow_constructors));
	json_object_set_new(params, "rollback",
			    json_boolean(options->rollback));
	json_object_set_new(params, "signature",
			    json_boolean(request->signature_fd >= 0));
	json_object_set_new(params, "file", hp_wire_text(options->operand));
	return hp_session_call(session, "apply", params, request, result, err);
}

static enum hotpatch_status begin_apply(struct hp_session *session,
					const struct hp_options *options,
					json_t **result,
					struct hotpatch_error *err)
{
	struct hp_request_options request = {
		.timeout_ms = options->timeout_ms + options->rendezvous_ms +
			      ANSWER_MS,
	};
	enum hotpatch_status status;

	status = open_file(options->operand, &request.bundle_fd, err);
	if (status)
		return status;
	status = open_signature(session, options, &request.signature_fd, err);
	if (!status)
		status = send_apply(session, options, &request, result, err);
	if (request.signature_fd >= 0)
		close(request.signature_fd);
	close(request.bundle_fd);
	return status;
}

static enum hotpatch_status apply(struct hp_session *session,
				  const struct hp_options *options,
				  json_t **result, struct hotpatch_error *err)
{
	const char *goal = goal_of(options, "drained");
	enum hotpatch_status status = check_access(session, err);
	char name[256];

	if (!status)
		status = begin_apply(session, options, result, err);
	if (status || is_goal(goal, "none"))
		return status;
	hp_text_copy(name, sizeof(name),
		     hp_json_text(json_object_get(*result, "patch"), "name"));
	return await_goal(session, name, goal, wait_ms(options), result, err);
}

enum hotpatch_status hp_command_apply(const struct hp_options *options,
				      struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result = NULL;
	enum hotpatch_status status = hp_session_open(options, &session, err);

	if (!status && options->dry_run)
		status = hp_check_bundle(&session, options, err);
	else if (!status)
		status = apply(&session, options, &result, err);
	if (!status && result)
		show(options, json_incref(result), print_applied);
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
		.timeout_ms = options->timeout_ms + ANSWER_MS,
		.progress = true,
	};
	json_t *params = change_params(options);

	if (options->all)
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
	return await_goal(session, name, goal, wait_ms(options), result, err);
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

enum hotpatch_status hp_command_revert(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result = NULL;
	enum hotpatch_status status = hp_session_open(options, &session, err);

	if (!status)
		status = check_access(&session, err);
	if (!status)
		status = begin_revert(&session, options, &result, err);
	if (!status && options->all)
		status = await_all(&session, options, result, err);
	else if (!status)
		status = await_revert(&session, options, options->operand,
				      &result, err);
	if (!status)
		show(options, json_incref(result),
		     options->all ? print_all_reverted : print_reverted);
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
	enum hotpatch_status status = hp_session_open(options, &session, err);

	if (!status)
		status = await_goal(
			&session, options->operand, goal_of(options, "drained"),
			options->timeout_ms ? options->timeout_ms : -1, &result,
			err);
	if (!status)
		show(options, json_incref(result), print_waited);
	json_decref(result);
	hp_session_close(&session);
	return status;
}
