/* SPDX-License-Identifier: MIT */
#include "change.h"

#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GRACE_MS 5000

/* When the policy strikes at the deadline, that is still worth waiting for;
 * under the policy to wait on, nothing more happens then. */
long hp_change_wait_ms(const struct hp_options *options)
{
	if (!options->timeout_ms)
		return -1;
	if (!strcmp(options->policy, "wait"))
		return options->timeout_ms;
	return options->timeout_ms + GRACE_MS;
}

static void add_number(json_t *params, const char *key, long value)
{
	if (value)
		json_object_set_new(params, key, json_integer(value));
}

json_t *hp_canary_report(const struct hp_options *options)
{
	json_t *keys = json_array();
	size_t i;

	for (i = 0; i < options->canary_key_count; i++)
		json_array_append_new(
			keys,
			json_integer((json_int_t)options->canary_keys[i]));
	return json_pack("{s:I, s:o}", "share",
			 (json_int_t)options->canary_share, "keys", keys);
}

static void add_canary(json_t *params, const struct hp_options *options)
{
	if (options->canary)
		json_object_set_new(params, "canary",
				    hp_canary_report(options));
}

json_t *hp_change_params(const struct hp_options *options)
{
	json_t *params = json_pack("{s:I, s:I, s:I, s:s, s:b}", "deadline_ms",
				   (json_int_t)options->timeout_ms, "turn_ms",
				   (json_int_t)options->timeout_ms,
				   "rendezvous_ms",
				   (json_int_t)options->rendezvous_ms, "policy",
				   options->policy, "adopt_sleepers",
				   options->adopt_sleepers);

	add_number(params, "probation_ms", options->probation_ms);
	add_number(params, "health_errors", options->health_errors);
	add_number(params, "health_latency_percent", options->health_latency);
	add_number(params, "health_tail_percent", options->health_tail);
	add_canary(params, options);
	return params;
}

json_t *hp_bundle_params(const struct hp_options *options, bool signed_bundle)
{
	json_t *params = json_pack("{s:b, s:b, s:b, s:b, s:o}",
				   "allow_constructors",
				   options->allow_constructors, "rollback",
				   options->rollback, "forgive",
				   options->forgive, "signature", signed_bundle,
				   "file", hp_wire_text(options->operand));

	add_canary(params, options);
	return params;
}

json_t *hp_wait_params(const char *name, const char *goal, long timeout_ms)
{
	return json_pack("{s:o, s:s, s:I}", "name", hp_wire_text(name), "goal",
			 hp_goal_word(goal), "timeout_ms",
			 (json_int_t)timeout_ms);
}

const char *hp_goal_word(const char *goal)
{
	return !strcmp(goal, "active") ? "drained" : goal;
}

enum hotpatch_status hp_goal_check(const char *goal, const json_t *result,
				   struct hotpatch_error *err)
{
	const json_t *patch = json_object_get(result, "patch");
	const char *name = hp_json_text(patch, "name");
	const char *state = hp_json_text(patch, "state");

	if ((strcmp(goal, "active") != 0 && strcmp(goal, "healthy") != 0) ||
	    !strcmp(state, "active"))
		return HOTPATCH_OK;
	/* So soon that it was over before it was asked for. */
	if (!strcmp(hp_json_text(patch, "status"), "E_UNHEALTHY"))
		return hp_error(err, HOTPATCH_E_UNHEALTHY, 0, name,
				"%s was taken back: %s", name,
				hp_json_text(patch, "reason"));
	return hp_error(err, HOTPATCH_E_STATE, 0, name, "%s is %s.", name,
			state);
}

enum hotpatch_status hp_change_access(const struct hp_session *session,
				      const struct hp_options *options,
				      struct hotpatch_error *err)
{
	const json_t *greeting = session->greeting;

	if (!strcmp(hp_json_text(greeting, "access"), "read"))
		return hp_error(err, HOTPATCH_E_PERMISSION, 0, "",
				"Only the process's owner and root may change "
				"anything.");
	if (options && options->canary && !json_object_get(greeting, "canary"))
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "canary",
				"The library in the process knows no "
				"canaries.");
	return HOTPATCH_OK;
}

static bool is_on(const char *state)
{
	return !strcmp(state, "active") || !strcmp(state, "applying");
}

json_t *hp_foresee_revert(const json_t *facts, const struct hp_options *options)
{
	const json_t *patches = json_object_get(facts, "patches");
	size_t i = json_array_size(patches);
	json_t *list = json_array();
	const char *state;
	const char *name;
	json_t *patch;

	while (i--) {
		patch = json_array_get(patches, i);
		state = hp_json_text(patch, "state");
		name = hp_json_text(patch, "name");
		if (options->all_patches ? !is_on(state) :
					   strcmp(name, options->operand) != 0)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:b}", "name", name,
						"state", state, "already",
						!is_on(state)));
	}
	return json_pack("{s:b, s:o}", "dry_run", 1, "patches", list);
}

bool hp_foresees_change(const json_t *foreseen)
{
	const json_t *patches = json_object_get(foreseen, "patches");
	const json_t *patch;
	size_t i;

	for (i = 0; i < json_array_size(patches); i++) {
		patch = json_array_get(patches, i);
		if (!json_is_true(json_object_get(patch, "already")))
			return true;
	}
	return false;
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

/* A process that does not greet with its policy would take a signature for the
 * bundle. */
bool hp_wants_signature(const struct hp_session *session)
{
	const char *policy = hp_json_text(session->greeting, "signatures");

	return *policy && strcmp(policy, "off") != 0;
}

/* None is no fault here, because it is the process that judges whether it
 * wants one. */
static enum hotpatch_status open_signature(const struct hp_options *options,
					   int *fd, struct hotpatch_error *err)
{
	enum hotpatch_status status;
	char beside[PATH_MAX];

	if (options->signature)
		return open_file(options->signature, fd, err);
	if (snprintf(beside, sizeof(beside), "%s.minisig", options->operand) >=
	    (int)sizeof(beside))
		return HOTPATCH_OK;
	status = open_file(beside, fd, err);
	return status == HOTPATCH_E_NOT_FOUND ? HOTPATCH_OK : status;
}

enum hotpatch_status hp_bundle_open(const struct hp_options *options,
				    bool signature,
				    struct hp_bundle_files *files,
				    struct hotpatch_error *err)
{
	enum hotpatch_status status;

	files->signature_fd = -1;
	status = open_file(options->operand, &files->bundle_fd, err);
	if (status || !signature)
		return status;
	status = open_signature(options, &files->signature_fd, err);
	if (status)
		hp_bundle_close(files);
	return status;
}

void hp_bundle_close(const struct hp_bundle_files *files)
{
	if (files->signature_fd >= 0)
		close(files->signature_fd);
	close(files->bundle_fd);
}
