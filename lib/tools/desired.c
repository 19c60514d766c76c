/* SPDX-License-Identifier: MIT */
/*
 * The commands about what shall be on: enable, disable, converge and verify.
 */
#include "desired.h"

#include "../desired.h"
#include "../manifest.h"
#include "../signature.h"
#include "../status.h"
#include "../store.h"
#include "change.h"
#include "several.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What was found where an answer is shown although it is none that was
 * wished. */
static enum hotpatch_status found;
static struct hotpatch_error found_error;

static enum hotpatch_status ask(struct hp_session *session, const char *method,
				json_t *params, long timeout_ms,
				json_t **result, struct hotpatch_error *err)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = timeout_ms,
		.progress = true,
	};
	enum hotpatch_status status = hp_change_access(session, NULL, err);

	if (status) {
		json_decref(params);
		return status;
	}
	return hp_session_call(session, method, params, &request, result, err);
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* The result goes on, and the refusal with it. */
static void note(json_t *result, enum hotpatch_status status,
		 const char *object, const char *sentence)
{
	struct hotpatch_error err;

	hp_error(&err, status, 0, object, "%s", sentence);
	hp_json_outcome(result, status, &err);
	if (!found)
		found_error = err;
	found = found ? found : status;
}

static enum hotpatch_status visit(const struct hp_options *options,
				  const struct hp_visit *what,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_visit(options, what, err);

	if (!status && found)
		*err = found_error;
	return status ? status : found;
}

/* ---- enable ---- */

static enum hotpatch_status stage(struct hp_session *session,
				  const struct hp_options *options,
				  json_t **result, struct hotpatch_error *err)
{
	struct hp_request_options request = {.timeout_ms = HP_ANSWER_MS};
	struct hp_bundle_files files;
	enum hotpatch_status status = hp_change_access(session, NULL, err);

	if (!status)
		status = hp_bundle_open(options, hp_wants_signature(session),
					&files, err);
	if (status)
		return status;
	request.bundle_fd = files.bundle_fd;
	request.signature_fd = files.signature_fd;
	status = hp_session_call(session, "stage",
				 hp_bundle_params(options,
						  files.signature_fd >= 0),
				 &request, result, err);
	hp_bundle_close(&files);
	return status;
}

static enum hotpatch_status ask_enable(struct hp_session *session,
				       const struct hp_options *options,
				       json_t **result,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status =
		options->now ? hp_apply_one(session, options, result, err) :
			       stage(session, options, result, err);

	return status ? status : hp_keep(session, *result, err);
}

static void print_enabled(const json_t *result, const json_t *greeting)
{
	const json_t *patch = json_object_get(result, "patch");

	(void)greeting;
	hp_print("%s is %sdesired, and %s\n", hp_json_text(patch, "name"),
		 is_true(result, "already_kept") ? "already " : "",
		 hp_json_text(patch, "state"));
}

/* ---- Without a process ---- */

static enum hotpatch_status use_directory(const struct hp_options *options,
					  struct hotpatch_error *err)
{
	char path[PATH_MAX];

	if (!options->program || options->now)
		return hp_error(err, HOTPATCH_E_USAGE, 0, "directory",
				"--directory needs --program, and no process "
				"is asked; see hotpatch --help.");
	if (!realpath(options->directory, path))
		return hp_error(err, HOTPATCH_E_NOT_FOUND, 0,
				options->directory, "%s is not there.",
				options->directory);
	return hp_store_configure(path, err);
}

static void show_recorded(const struct hp_options *options, const char *name,
			  bool desired, bool already)
{
	if (options->json)
		hp_print_json(json_pack("{s:o*, s:b, s:b}", "name",
					name ? hp_wire_text(name) : NULL,
					"desired", desired, "already",
					already));
	else
		hp_print("%s %s%s\n", name ? name : "everything",
			 already ? "was already " : "is now ",
			 desired ? "desired" : "not desired");
}

static enum hotpatch_status record(const struct hp_options *options,
				   const struct hp_manifest *manifest,
				   const struct hp_file *bundle,
				   const struct hp_file *signature,
				   struct hotpatch_error *err)
{
	const struct hp_desired_bundle copies = {bundle, signature,
						 manifest->supersedes,
						 manifest->supersede_count};
	struct hp_desired desired = {.constructors = manifest->constructors};

	if (manifest->constructors && !options->allow_constructors &&
	    !(manifest->flags & HOTPATCH_FLAG_CONSTRUCTORS))
		return hp_error(err, HOTPATCH_E_CONSTRUCTOR, 0, manifest->name,
				"%s has constructors; --allow-constructors "
				"lets them run.",
				manifest->name);
	hp_text_copy(desired.identity.program, sizeof(desired.identity.program),
		     options->program);
	hp_identity_contents(bundle, desired.identity.contents);
	hp_text_copy(desired.identity.name, sizeof(desired.identity.name),
		     manifest->name);
	desired.identity.sequence = manifest->sequence;
	return hp_desired_add(&desired, &copies, err);
}

static enum hotpatch_status read_files(const struct hp_options *options,
				       struct hp_file *bundle,
				       struct hp_file *signature,
				       struct hotpatch_error *err)
{
	struct hp_bundle_files files;
	enum hotpatch_status status =
		hp_bundle_open(options, true, &files, err);

	if (status)
		return status;
	status =
		hp_file_read_fd(files.bundle_fd, options->operand, bundle, err);
	if (!status && files.signature_fd >= 0)
		status = hp_file_read_bounded(files.signature_fd,
					      HP_SIGNATURE_FILE_LIMIT,
					      "the signature", signature, err);
	hp_bundle_close(&files);
	return status;
}

/* Its signature is verified by each process that applies it. */
static enum hotpatch_status enable_directory(const struct hp_options *options,
					     struct hotpatch_error *err)
{
	struct hp_file bundle = {0};
	struct hp_file signature = {0};
	struct hp_manifest manifest = {0};
	enum hotpatch_status status = use_directory(options, err);

	if (!status)
		status = read_files(options, &bundle, &signature, err);
	if (!status)
		status = hp_manifest_parse(bundle.bytes, bundle.size,
					   options->operand, &manifest, err);
	if (!status)
		status = record(options, &manifest, &bundle, &signature, err);
	if (!status || status == HOTPATCH_E_ALREADY)
		show_recorded(options, manifest.name, true, status);
	hp_manifest_release(&manifest);
	hp_file_release(&bundle);
	hp_file_release(&signature);
	return status == HOTPATCH_E_ALREADY ? HOTPATCH_OK : status;
}

static enum hotpatch_status disable_directory(const struct hp_options *options,
					      struct hotpatch_error *err)
{
	enum hotpatch_status status = use_directory(options, err);

	if (!status)
		status = hp_desired_remove(options->program, options->operand,
					   err);
	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	show_recorded(options, options->operand, false, status);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_command_enable(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	static const struct hp_visit enable = {
		.ask = ask_enable,
		.print = print_enabled,
	};

	return options->directory ? enable_directory(options, err) :
				    visit(options, &enable, err);
}

/* ---- disable ---- */

static enum hotpatch_status ask_disable(struct hp_session *session,
					const struct hp_options *options,
					json_t **result,
					struct hotpatch_error *err)
{
	json_t *params = options->all_patches ?
				 json_pack("{s:b}", "all", 1) :
				 json_pack("{s:o}", "name",
					   hp_wire_text(options->operand));
	json_t *reverted = NULL;
	enum hotpatch_status status;

	status = ask(session, "undesire", params, HP_ANSWER_MS, result, err);
	if (status || !options->now)
		return status;
	status = hp_revert_one(session, options, &reverted, err);
	if (!status)
		json_object_set(*result, "reverted", reverted);
	json_decref(reverted);
	return status;
}

static void print_disabled(const json_t *result, const json_t *greeting)
{
	const char *name = hp_json_text(result, "name");

	(void)greeting;
	hp_print("%s %snot desired%s\n", *name ? name : "everything",
		 is_true(result, "already") ? "was already " : "is now ",
		 json_object_get(result, "reverted") ? ", and is reverted" :
						       "");
}

enum hotpatch_status hp_command_disable(const struct hp_options *options,
					struct hotpatch_error *err)
{
	static const struct hp_visit disable = {
		.ask = ask_disable,
		.print = print_disabled,
	};

	return options->directory ? disable_directory(options, err) :
				    visit(options, &disable, err);
}

/* ---- converge ---- */

static bool is_listed(const json_t *desired, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(desired, i, one)
	{
		if (is_true(one, "desired") && is_true(one, "active") &&
		    !strcmp(hp_json_text(one, "name"), name))
			return true;
	}
	return false;
}

static void foresee(json_t *outcomes, const char *name, const json_t *from,
		    bool reverted, const char *status)
{
	json_array_append_new(
		outcomes,
		json_pack("{s:s, s:I, s:b, s:s, s:s}", "name", name, "sequence",
			  hp_json_number(from, "sequence"), "reverted",
			  reverted, "status", status, "reason",
			  reverted ? "" : hp_json_text(from, "reason")));
}

/* What would be begun with. */
static enum hotpatch_status ask_foreseen(struct hp_session *session,
					 const struct hp_options *options,
					 json_t **result,
					 struct hotpatch_error *err)
{
	json_t *outcomes = json_array();
	json_t *facts = NULL;
	json_t *answer = NULL;
	enum hotpatch_status status;
	json_t *one;
	size_t i;

	status = ask(session, "desired", NULL, HP_ANSWER_MS, &answer, err);
	if (!status)
		status =
			ask(session, "status", NULL, HP_ANSWER_MS, &facts, err);
	json_array_foreach(json_object_get(answer, "desired"), i, one)
	{
		if (is_true(one, "desired") && !is_true(one, "active"))
			foresee(outcomes, hp_json_text(one, "name"), one, false,
				hp_json_text(one, "status"));
	}
	json_array_foreach(json_object_get(facts, "patches"), i, one)
	{
		if (options->exact &&
		    !strcmp(hp_json_text(one, "state"), "active") &&
		    !is_listed(json_object_get(answer, "desired"),
			       hp_json_text(one, "name")))
			foresee(outcomes, hp_json_text(one, "name"), one, true,
				"OK");
	}
	*result = json_pack("{s:b, s:b, s:o, s:b}", "dry_run", 1, "off",
			    is_true(answer, "off"), "outcomes", outcomes,
			    "already", !json_array_size(outcomes));
	json_decref(answer);
	json_decref(facts);
	if (status) {
		json_decref(*result);
		*result = NULL;
	}
	return status;
}

static const char *first_refusal(const json_t *outcomes, const char **name)
{
	const char *status;
	json_t *one;
	size_t i;

	json_array_foreach(outcomes, i, one)
	{
		status = hp_json_text(one, "status");
		*name = hp_json_text(one, "name");
		if (strcmp(status, "OK") != 0 &&
		    strcmp(status, "E_ALREADY") != 0)
			return hp_json_text(one, "reason");
	}
	*name = "";
	return "not all that is desired could be applied";
}

static enum hotpatch_status ask_converge(struct hp_session *session,
					 const struct hp_options *options,
					 json_t **result,
					 struct hotpatch_error *err)
{
	json_t *params;
	enum hotpatch_status status;
	const char *reason;
	const char *name;

	if (options->dry_run)
		return ask_foreseen(session, options, result, err);
	params = hp_change_params(options);
	json_object_set_new(params, "exact", json_boolean(options->exact));
	/* Each bundle has the time that was given. */
	status = ask(session, "converge", params, -1, result, err);
	if (status ||
	    strcmp(hp_json_text(*result, "status"), "E_DIVERGED") != 0)
		return status;
	reason = first_refusal(json_object_get(*result, "outcomes"), &name);
	note(*result, HOTPATCH_E_DIVERGED, name, reason);
	return HOTPATCH_OK;
}

static void print_outcome(const json_t *one, bool foreseen)
{
	const char *status = hp_json_text(one, "status");
	const char *name = hp_json_text(one, "name");
	bool reverted = is_true(one, "reverted");

	if (!strcmp(status, "E_ALREADY"))
		hp_print("%s is already %s\n", name,
			 reverted ? "reverted" : "active");
	else if (strcmp(status, "OK") != 0)
		hp_print("%s: %s: %s\n", name, status,
			 hp_json_text(one, "reason"));
	else
		hp_print("%s %s %s\n", name, foreseen ? "would be" : "is",
			 reverted ? "reverted" :
			 foreseen ? "applied" :
				    "active");
}

static void print_converged(const json_t *result, const json_t *greeting)
{
	const json_t *outcomes = json_object_get(result, "outcomes");
	bool foreseen = is_true(result, "dry_run");
	json_t *one;
	size_t i;

	(void)greeting;
	if (is_true(result, "off"))
		hp_print("a file switches off what is desired\n");
	json_array_foreach(outcomes, i, one) print_outcome(one, foreseen);
	if (is_true(result, "already"))
		hp_print("all that is desired is active\n");
	if (foreseen)
		hp_print("nothing was changed\n");
}

enum hotpatch_status hp_command_converge(const struct hp_options *options,
					 struct hotpatch_error *err)
{
	static const struct hp_visit converge = {
		.ask = ask_converge,
		.print = print_converged,
	};

	return visit(options, &converge, err);
}

/* ---- verify ---- */

static enum hotpatch_status ask_verify(struct hp_session *session,
				       const struct hp_options *options,
				       json_t **result,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	const json_t *first;

	(void)options;
	status = ask(session, "verify", NULL, HP_ANSWER_MS, result, err);
	if (status || !hp_json_number(*result, "difference_count"))
		return status;
	first = json_array_get(json_object_get(*result, "differences"), 0);
	note(*result, HOTPATCH_E_DIVERGED, hp_json_text(first, "object"),
	     hp_json_text(first, "message"));
	return HOTPATCH_OK;
}

static void print_verified(const json_t *result, const json_t *greeting)
{
	const json_t *differences = json_object_get(result, "differences");
	json_t *one;
	size_t i;

	(void)greeting;
	json_array_foreach(differences, i, one)
		hp_print("%s\n", hp_json_text(one, "message"));
	if (!json_array_size(differences))
		hp_print("what runs is what should run\n");
}

enum hotpatch_status hp_command_verify(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	static const struct hp_visit verify = {
		.ask = ask_verify,
		.print = print_verified,
	};

	return visit(options, &verify, err);
}
