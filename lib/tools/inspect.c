/* SPDX-License-Identifier: MIT */
/*
 * Looking at a bundle as a file: the command inspect, and what apply --dry-run
 * compares with a process. Nothing of the file is mapped for execution.
 */
#include "change.h"

#include "../manifest.h"
#include "../sealed.h"
#include "../status.h"
#include "../store.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MS 30000

static const char *kind_text(const struct hp_manifest *manifest)
{
	return manifest->kind == HOTPATCH_KIND_RESTART ? "restart" : "patch";
}

static const char *consistency_text(const struct hp_manifest *manifest)
{
	switch (manifest->consistency) {
	case HOTPATCH_IMMEDIATE:
		return "immediate";
	case HOTPATCH_RENDEZVOUS:
		return "rendezvous";
	default:
		return "per-task";
	}
}

static json_t *report_callbacks(const struct hp_manifest *manifest)
{
	const struct hp_callback *callback = manifest->callbacks;
	const struct hp_callback *end = callback + manifest->callback_count;
	json_t *list = json_array();

	for (; callback < end; callback++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:o}", "callback",
				  hp_callback_name(callback->kind), "object",
				  hp_wire_text(callback->object)));
	return list;
}

static json_t *report_states(const struct hp_manifest *manifest)
{
	const struct hp_state *state = manifest->states;
	const struct hp_state *end = state + manifest->state_count;
	json_t *list = json_array();

	for (; state < end; state++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:I}", "id", hp_wire_text(state->id),
				  "version", (json_int_t)state->version));
	return list;
}

static json_t *report_texts(const char *const *texts, size_t count)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(list, hp_wire_text(texts[i]));
	return list;
}

static void format_hash(char *text, size_t size, uint64_t hash)
{
	snprintf(text, size, "%016llx", (unsigned long long)hash);
}

static json_t *report_sealed_functions(const struct hp_manifest *manifest,
				       const struct hp_target *target)
{
	struct hotpatch_sealed_function fact;
	json_t *list = json_array();
	char hash[32];
	size_t i;

	for (i = 0; i < manifest->replace_count; i++) {
		if (!hp_sealed_function(target, i, &fact))
			continue;
		format_hash(hash, sizeof(hash), fact.abi_hash);
		json_array_append_new(
			list,
			json_pack("{s:o, s:s, s:b}", "name",
				  hp_wire_text(manifest->replaces[i].name),
				  "abi_hash", hash, "opaque",
				  !!(fact.flags & HOTPATCH_SEALED_OPAQUE)));
	}
	return list;
}

static const char *sealed_kind_text(uint32_t kind)
{
	static const char *const texts[] = {"exported", "data", "code",
					    "thread-local"};

	return kind < sizeof(texts) / sizeof(*texts) ? texts[kind] : "unknown";
}

static json_t *report_sealed_imports(const struct hp_manifest *manifest,
				     const struct hp_target *target)
{
	struct hotpatch_sealed_import fact;
	json_t *list = json_array();
	char hash[32];
	size_t i;

	for (i = 0; i < manifest->import_count; i++) {
		if (!hp_sealed_import(target, i, &fact))
			continue;
		format_hash(hash, sizeof(hash), fact.type_hash);
		json_array_append_new(
			list,
			json_pack("{s:o, s:s, s:I, s:I, s:s}", "name",
				  hp_wire_text(manifest->imports[i].name),
				  "place", sealed_kind_text(fact.kind),
				  "offset", (json_int_t)fact.offset, "size",
				  (json_int_t)fact.size, "type_hash", hash));
	}
	return list;
}

static json_t *report_sealed_redirects(const struct hp_manifest *manifest,
				       const struct hp_target *target)
{
	struct hotpatch_sealed_redirect fact;
	json_t *list = json_array();
	char hash[32];
	size_t i;

	for (i = 0; i < manifest->replace_count; i++) {
		if (!hp_sealed_redirect(target, i, &fact))
			continue;
		format_hash(hash, sizeof(hash), fact.hash);
		json_array_append_new(
			list,
			json_pack("{s:o, s:I, s:I, s:s}", "name",
				  hp_wire_text(manifest->replaces[i].name),
				  "offset", (json_int_t)fact.offset, "size",
				  (json_int_t)fact.size, "hash", hash));
	}
	return list;
}

static json_t *report_targets(const struct hp_manifest *manifest)
{
	const struct hp_target *target = manifest->targets;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < manifest->target_count; i++, target++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:o, s:b, s:o, s:o, s:o}", "module",
				  hp_wire_text(target->module), "build_id",
				  hp_wire_text(target->build_id), "sealed",
				  target->sealed, "functions",
				  report_sealed_functions(manifest, target),
				  "imports",
				  report_sealed_imports(manifest, target),
				  "redirects",
				  report_sealed_redirects(manifest, target)));
	return list;
}

static json_t *report_imports(const struct hp_manifest *manifest)
{
	const struct hp_import *import = manifest->imports;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < manifest->import_count; i++, import++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "name",
				  hp_wire_text(import->name), "type",
				  hp_wire_text(import->type), "file",
				  hp_wire_text(import->file), "module",
				  hp_wire_text(import->module), "patch",
				  hp_wire_text(import->patch), "thread_local",
				  import->kind ==
					  HOTPATCH_IMPORT_THREAD_LOCAL));
	return list;
}

static json_t *report_exports(const struct hp_manifest *manifest)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < manifest->export_count; i++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:o}", "name",
				  hp_wire_text(manifest->exports[i].name),
				  "type",
				  hp_wire_text(manifest->exports[i].type)));
	return list;
}

static json_t *report_allowed(const struct hp_manifest *manifest)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < manifest->allow_count; i++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:o}", "reason",
				  hp_wire_text(manifest->allows[i].reason),
				  "name",
				  hp_wire_text(manifest->allows[i].name)));
	return list;
}

static json_t *report_functions(const struct hp_manifest *manifest)
{
	const struct hp_replace *replace = manifest->replaces;
	const struct hp_replace *end = replace + manifest->replace_count;
	json_t *list = json_array();

	for (; replace < end; replace++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:o, s:o, s:o, s:b}", "name",
				  hp_wire_text(replace->name), "file",
				  hp_wire_text(replace->file), "module",
				  hp_wire_text(replace->module), "prototype",
				  hp_wire_text(replace->prototype), "redirect",
				  replace->redirect));
	return list;
}

static json_t *report_manifest(const struct hp_manifest *manifest)
{
	json_t *object = json_pack(
		"{s:o, s:I, s:s, s:s, s:s, s:I, s:b, s:I, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o}",
		"name", hp_wire_text(manifest->name), "sequence",
		(json_int_t)manifest->sequence, "kind", kind_text(manifest),
		"consistency", consistency_text(manifest), "build_id",
		manifest->build_id, "constructors",
		(json_int_t)manifest->constructors, "wants_constructors",
		!!(manifest->flags & HOTPATCH_FLAG_CONSTRUCTORS), "expires_s",
		(json_int_t)manifest->expires_s, "targets",
		report_targets(manifest), "functions",
		report_functions(manifest), "replaces",
		report_texts(manifest->supersedes, manifest->supersede_count),
		"requires",
		report_texts(manifest->requires, manifest->require_count),
		"conflicts",
		report_texts(manifest->conflicts, manifest->conflict_count),
		"callbacks", report_callbacks(manifest), "states",
		report_states(manifest));

	json_object_set_new(object, "sealed",
			    json_boolean(hp_manifest_is_sealed(manifest)));
	json_object_set_new(object, "imports", report_imports(manifest));
	json_object_set_new(object, "exports", report_exports(manifest));
	json_object_set_new(object, "allowed", report_allowed(manifest));
	return object;
}

static void print_names(const char *title, const char *const *names,
			size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		hp_print("%s%s%s", i ? ", " : title, names[i],
			 i + 1 == count ? "\n" : "");
}

static void print_calls(const struct hp_manifest *manifest)
{
	const struct hp_callback *callback = manifest->callbacks;
	const struct hp_callback *end = callback + manifest->callback_count;
	size_t i;

	for (; callback < end; callback++)
		hp_print("calls back: %s%s%s\n",
			 hp_callback_name(callback->kind),
			 *callback->object ? " for " : "", callback->object);
	for (i = 0; i < manifest->state_count; i++)
		hp_print("state %s, version %u\n", manifest->states[i].id,
			 manifest->states[i].version);
}

static void print_head(const struct hp_manifest *manifest)
{
	size_t i;

	hp_print("%s, sequence %llu, %s, %s\n", manifest->name,
		 (unsigned long long)manifest->sequence, kind_text(manifest),
		 consistency_text(manifest));
	hp_print("build %s\n", manifest->build_id);
	for (i = 0; i < manifest->target_count; i++)
		hp_print("for %s, build %s, %s\n",
			 *manifest->targets[i].module ?
				 manifest->targets[i].module :
				 "the program",
			 manifest->targets[i].build_id,
			 manifest->targets[i].sealed ? "sealed" : "not sealed");
	if (manifest->constructors)
		hp_print("runs %zu constructors when it is loaded\n",
			 manifest->constructors);
	if (manifest->expires_s)
		hp_print("expires %llu seconds after 1970\n",
			 (unsigned long long)manifest->expires_s);
	print_names("replaces the patches ", manifest->supersedes,
		    manifest->supersede_count);
	print_names("requires the patches ", manifest->requires,
		    manifest->require_count);
	print_names("conflicts with the patches ", manifest->conflicts,
		    manifest->conflict_count);
	print_calls(manifest);
}

/* "exporter:", "part.so:", "file.c:" or nothing. */
static const char *origin(const struct hp_import *import)
{
	if (*import->patch)
		return import->patch;
	return *import->module ? import->module : "";
}

static void print_links(const struct hp_manifest *manifest)
{
	const struct hp_import *import = manifest->imports;
	size_t i;

	for (i = 0; i < manifest->allow_count; i++)
		hp_print("accepted %s:%s\n", manifest->allows[i].reason,
			 manifest->allows[i].name);
	for (i = 0; i < manifest->import_count; i++, import++)
		hp_print("imports %s %s%s%s%s%s%s\n", import->name,
			 import->type,
			 import->kind == HOTPATCH_IMPORT_THREAD_LOCAL ?
				 ", thread-local" :
				 "",
			 *import->file ? ", of " : "", import->file,
			 *origin(import) ? ", from " : "", origin(import));
	for (i = 0; i < manifest->export_count; i++)
		hp_print("exports %s %s\n", manifest->exports[i].name,
			 manifest->exports[i].type);
}

static void print_manifest(const struct hp_manifest *manifest)
{
	const struct hp_replace *replace = manifest->replaces;
	const struct hp_replace *end = replace + manifest->replace_count;
	struct hp_table table = {.columns = 5};

	print_head(manifest);
	print_links(manifest);
	hp_print("\n");
	hp_table_add(&table, "FUNCTION");
	hp_table_add(&table, "FILE");
	hp_table_add(&table, "MODULE");
	hp_table_add(&table, "WAY");
	hp_table_add(&table, "PROTOTYPE");
	for (; replace < end; replace++) {
		hp_table_add(&table, "%s", replace->name);
		hp_table_add(&table, "%s", replace->file);
		hp_table_add(&table, "%s", replace->module);
		hp_table_add(&table, "%s",
			     replace->redirect ? "redirect" : "table");
		hp_table_add(&table, "%s", replace->prototype);
	}
	hp_table_print(&table);
	hp_table_release(&table);
}

/* On success the caller owes the release of both. */
static enum hotpatch_status read_bundle(const char *path, struct hp_file *file,
					struct hp_manifest *manifest,
					struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_file_read(path, file, err);

	if (status)
		return status;
	status =
		hp_manifest_parse(file->bytes, file->size, path, manifest, err);
	if (status)
		hp_file_release(file);
	return status;
}

enum hotpatch_status hp_command_inspect(const struct hp_options *options,
					struct hotpatch_error *err)
{
	struct hp_file file;
	struct hp_manifest manifest;
	enum hotpatch_status status;

	status = read_bundle(options->operand, &file, &manifest, err);
	if (status)
		return status;
	if (options->json)
		hp_print_json(json_pack("{s:o}", "bundle",
					report_manifest(&manifest)));
	else
		print_manifest(&manifest);
	hp_manifest_release(&manifest);
	hp_file_release(&file);
	return HOTPATCH_OK;
}

/* Is it one of the builds of the first target? */
static bool is_for(const struct hp_manifest *manifest, const char *build_id)
{
	const struct hp_target *target = manifest->targets;
	size_t i;

	for (i = 0; i < manifest->target_count; i++)
		if (!strcmp(target[i].module, target->module) &&
		    !strcmp(target[i].build_id, build_id))
			return true;
	return false;
}

/* Of a process that may only be looked at, what it said of itself can be
 * compared: its own build. */
static enum hotpatch_status judge(const struct hp_manifest *manifest,
				  const struct hp_options *options,
				  const json_t *greeting,
				  struct hotpatch_error *err)
{
	const struct hp_target *target = manifest->targets;
	const char *build_id = hp_json_text(greeting, "build_id");

	if (manifest->kind == HOTPATCH_KIND_RESTART)
		return hp_error(err, HOTPATCH_E_RESTART, 0, manifest->name,
				"The fix %s needs a restart of the process.",
				manifest->name);
	if (manifest->constructors && !options->allow_constructors)
		return hp_error(err, HOTPATCH_E_CONSTRUCTOR, 0, manifest->name,
				"%s has constructors; --allow-constructors "
				"lets them run.",
				manifest->name);
	if (options->canary && manifest->consistency != HOTPATCH_PER_TASK)
		return hp_error(err, HOTPATCH_E_CANARY, 0, manifest->name,
				"%s is not consistent per task.",
				manifest->name);
	if (!manifest->target_count || *target->module || !*build_id ||
	    is_for(manifest, build_id))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, manifest->name,
			"%s is for build %s, the process has %s.",
			manifest->name, target->build_id, build_id);
}

enum hotpatch_status hp_ask_process(struct hp_session *session,
				    const struct hp_options *options,
				    bool *already, struct hotpatch_error *err)
{
	struct hp_request_options request = {.timeout_ms = ANSWER_MS};
	struct hp_bundle_files files;
	enum hotpatch_status status;
	json_t *result;

	status = hp_bundle_open(options, hp_wants_signature(session), &files,
				err);
	if (status)
		return status;
	request.bundle_fd = files.bundle_fd;
	request.signature_fd = files.signature_fd;
	status = hp_session_call(session, "check",
				 hp_bundle_params(options,
						  files.signature_fd >= 0),
				 &request, &result, err);
	hp_bundle_close(&files);
	if (!status)
		*already = json_is_true(json_object_get(result, "already"));
	json_decref(result);
	return status;
}

enum hotpatch_status hp_check_bundle(struct hp_session *session,
				     const struct hp_options *options,
				     struct hotpatch_error *err)
{
	struct hp_file file;
	struct hp_manifest manifest;
	enum hotpatch_status status;
	bool already = false;

	status = read_bundle(options->operand, &file, &manifest, err);
	if (status)
		return status;
	status = hp_change_access(session, options, err);
	if (status == HOTPATCH_E_PERMISSION)
		status = judge(&manifest, options, session->greeting, err);
	else if (!status)
		status = hp_ask_process(session, options, &already, err);
	if (!status && options->json)
		hp_print_json(json_pack("{s:b, s:b, s:o}", "dry_run", 1,
					"already", already, "bundle",
					report_manifest(&manifest)));
	else if (!status)
		hp_print("%s %s process %d; nothing was changed\n",
			 manifest.name, already ? "is already in" : "fits",
			 (int)hp_json_number(session->greeting, "pid"));
	hp_manifest_release(&manifest);
	hp_file_release(&file);
	return status;
}
