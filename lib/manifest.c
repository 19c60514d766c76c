/* SPDX-License-Identifier: MIT */
/*
 * Reads a bundle's manifest out of the notes of an ELF file. The notes are
 * walked first to count and to find the one that tells the format, then to
 * take what they say, and last for those that the seal wrote.
 */
#include "manifest.h"

#include "elf_file.h"
#include "manifest_note.h"
#include "sealed.h"
#include "status.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define REPLACE_LIMIT 131072
#define TARGET_LIMIT 64
#define IMPORT_LIMIT 65536
#define NAME_LIMIT 1024 /* of replaced, required and excluded patches each */

/* The format comes first in every format's head. */
static void survey_bundle(struct reader *reader, const struct hp_note *note)
{
	reader->bundles++;
	if (note->size >= sizeof(reader->format))
		memcpy(&reader->format, note->bytes, sizeof(reader->format));
}

static void survey_foreign(struct reader *reader, const struct hp_note *note)
{
	if (hp_note_is(note, "GNU", NT_GNU_BUILD_ID) &&
	    !hp_note_build_id(note, reader->manifest.build_id))
		reader->odd_build_id = true;
}

static enum hotpatch_status survey(void *context, const struct hp_note *note)
{
	struct reader *reader = context;
	struct hp_manifest *manifest = &reader->manifest;

	if (!hp_note_is(note, HOTPATCH_NOTE_OWNER, note->type)) {
		survey_foreign(reader, note);
		return HOTPATCH_OK;
	}
	if (note->type == HOTPATCH_NOTE_BUNDLE) {
		survey_bundle(reader, note);
		return HOTPATCH_OK;
	}
	reader->others += note->type != HOTPATCH_NOTE_LIBRARY;
	if (reader->unsealed && hp_sealed_is_note(note->type))
		return HOTPATCH_OK;
	if (note->type == HOTPATCH_NOTE_TARGET ||
	    note->type == HOTPATCH_NOTE_BUILD)
		manifest->target_count++;
	else if (note->type == HOTPATCH_NOTE_REPLACE ||
		 note->type == HOTPATCH_NOTE_REDIRECT)
		manifest->replace_count++;
	else if (note->type == HOTPATCH_NOTE_REPLACES)
		manifest->supersede_count++;
	else if (note->type == HOTPATCH_NOTE_REQUIRES)
		manifest->require_count++;
	else if (note->type == HOTPATCH_NOTE_CONFLICTS)
		manifest->conflict_count++;
	else if (note->type == HOTPATCH_NOTE_EXPIRES)
		reader->expiries++;
	else if (note->type == HOTPATCH_NOTE_CALLBACKS)
		manifest->callback_count++;
	else if (note->type == HOTPATCH_NOTE_STATE)
		manifest->state_count++;
	else if (note->type == HOTPATCH_NOTE_IMPORT)
		manifest->import_count++;
	else if (note->type == HOTPATCH_NOTE_EXPORT)
		manifest->export_count++;
	else if (note->type == HOTPATCH_NOTE_ALLOW)
		manifest->allow_count++;
	else if (!hp_sealed_is_note(note->type))
		reader->unknown = note->type ? note->type : UINT32_MAX;
	return HOTPATCH_OK;
}

static enum hotpatch_status check_survey(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;

	if (!reader->bundles && !reader->others)
		return refuse(reader, HOTPATCH_E_NOT_BUNDLE,
			      "is an ELF file, but not a bundle");
	if (reader->format > HOTPATCH_NOTE_FORMAT)
		return hp_error(reader->elf.err, HOTPATCH_E_FORMAT, 0,
				reader->elf.object,
				"%s has format %u, this library knows %u",
				reader->elf.object, reader->format,
				HOTPATCH_NOTE_FORMAT);
	if (reader->bundles != 1)
		return refuse(reader, HOTPATCH_E_NOTE,
			      reader->bundles ? "names itself more than once" :
						"does not name itself");
	if (!reader->format)
		return refuse(reader, HOTPATCH_E_NOTE, "tells no format");
	if (reader->unknown)
		return hp_error(reader->elf.err, HOTPATCH_E_NOTE, 0,
				reader->elf.object,
				"%s has a note of the unknown type %u",
				reader->elf.object, reader->unknown);
	if (reader->expiries > 1)
		return refuse(reader, HOTPATCH_E_NOTE, "expires twice");
	if (reader->odd_build_id)
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a build-id of an unusual length");
	if (manifest->replace_count > REPLACE_LIMIT ||
	    manifest->target_count > TARGET_LIMIT ||
	    manifest->supersede_count > NAME_LIMIT ||
	    manifest->require_count > NAME_LIMIT ||
	    manifest->conflict_count > NAME_LIMIT ||
	    manifest->callback_count > NAME_LIMIT ||
	    manifest->state_count > NAME_LIMIT ||
	    manifest->import_count > IMPORT_LIMIT ||
	    manifest->export_count > IMPORT_LIMIT ||
	    manifest->allow_count > NAME_LIMIT)
		return refuse(reader, HOTPATCH_E_NOTE, "has too many notes");
	if (!manifest->target_count && !reader->unsealed)
		return refuse(reader, HOTPATCH_E_NO_TARGET,
			      "names no target build");
	return HOTPATCH_OK;
}

/* Allocates what the survey counted, and begins to count again. */
static enum hotpatch_status reserve(struct reader *reader)
{
	struct hp_manifest *m = &reader->manifest;

	m->targets = calloc(m->target_count + 1, sizeof(*m->targets));
	m->replaces = calloc(m->replace_count + 1, sizeof(*m->replaces));
	m->supersedes = calloc(m->supersede_count + 1, sizeof(*m->supersedes));
	/* An import from a patch requires it. */
	m->requires = calloc(m->require_count + m->import_count + 1,
			     sizeof(*m->requires));
	m->conflicts = calloc(m->conflict_count + 1, sizeof(*m->conflicts));
	m->callbacks = calloc(m->callback_count + 1, sizeof(*m->callbacks));
	m->states = calloc(m->state_count + 1, sizeof(*m->states));
	m->imports = calloc(m->import_count + 1, sizeof(*m->imports));
	m->exports = calloc(m->export_count + 1, sizeof(*m->exports));
	m->allows = calloc(m->allow_count + 1, sizeof(*m->allows));
	if (!m->targets || !m->replaces || !m->supersedes || !m->requires ||
	    !m->conflicts || !m->callbacks || !m->states || !m->imports ||
	    !m->exports || !m->allows)
		return refuse(reader, HOTPATCH_E_NO_MEMORY,
			      "could not be read for want of memory");
	m->target_count = 0;
	m->replace_count = 0;
	m->supersede_count = 0;
	m->require_count = 0;
	m->conflict_count = 0;
	m->callback_count = 0;
	m->state_count = 0;
	m->import_count = 0;
	m->export_count = 0;
	m->allow_count = 0;
	return HOTPATCH_OK;
}

/* Sorts a copy, so that 65,536 functions do not cost their square. */
static enum hotpatch_status check_duplicates(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;
	struct hp_replace *sorted;
	const char *twice = NULL;
	size_t count = manifest->replace_count;
	size_t i;

	sorted = calloc(count + 1, sizeof(*sorted));
	if (!sorted)
		return refuse(reader, HOTPATCH_E_NO_MEMORY,
			      "could not be read for want of memory");
	for (i = 0; i < count; i++) {
		sorted[i] = manifest->replaces[i];
		if (!*sorted[i].module && manifest->target_count)
			sorted[i].module = manifest->targets[0].module;
	}
	qsort(sorted, count, sizeof(*sorted), hp_replace_compare);
	for (i = 1; i < count && !twice; i++)
		if (!hp_replace_compare(&sorted[i - 1], &sorted[i]))
			twice = sorted[i].name;
	free(sorted);
	if (twice)
		return refuse_text(reader, HOTPATCH_E_DUPLICATE,
				   "replaces more than once", twice);
	return HOTPATCH_OK;
}

static enum hotpatch_status check_replaces(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;
	const char *module;
	size_t i;

	if (!manifest->replace_count && manifest->kind != HOTPATCH_KIND_RESTART)
		return refuse(reader, HOTPATCH_E_NOTE, "replaces nothing");
	for (i = 0; i < manifest->replace_count; i++) {
		module = manifest->replaces[i].module;
		if (*module && !hp_manifest_has_target(manifest, module))
			return refuse_text(reader, HOTPATCH_E_NO_TARGET,
					   "names no build of", module);
	}
	for (i = 0; i < manifest->import_count; i++) {
		module = manifest->imports[i].module;
		if (*module && !hp_manifest_has_target(manifest, module))
			return refuse_text(reader, HOTPATCH_E_NO_TARGET,
					   "names no build of", module);
	}
	return check_duplicates(reader);
}

static bool has_state(const struct hp_manifest *manifest, const char *id,
		      size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(manifest->states[i].id, id))
			return true;
	return false;
}

static bool has_callback(const struct hp_manifest *manifest,
			 const struct hp_callback *wanted, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (manifest->callbacks[i].kind == wanted->kind &&
		    !strcmp(manifest->callbacks[i].object, wanted->object))
			return true;
	return false;
}

static enum hotpatch_status check_callback(const struct reader *reader,
					   size_t index)
{
	const struct hp_manifest *manifest = &reader->manifest;
	const struct hp_callback *callback = &manifest->callbacks[index];
	const char *object = callback->object;

	if (has_callback(manifest, callback, index))
		return refuse_text(reader, HOTPATCH_E_DUPLICATE,
				   "has two callbacks of one kind for",
				   *object ? object : "itself");
	if (callback->kind == HOTPATCH_CALLBACK_CLEAN_UP &&
	    !has_state(manifest, object, manifest->state_count))
		return refuse_text(
			reader, HOTPATCH_E_NOTE,
			"cleans up a state that it does not declare,", object);
	if (callback->kind < HOTPATCH_CALLBACK_MIGRATE && *object &&
	    !hp_manifest_has_target(manifest, object))
		return refuse_text(reader, HOTPATCH_E_NO_TARGET,
				   "names no build of", object);
	if (callback->kind == HOTPATCH_CALLBACK_MIGRATE &&
	    manifest->consistency != HOTPATCH_RENDEZVOUS)
		return refuse(reader, HOTPATCH_E_NOTE,
			      "migrates without a rendezvous");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_calls(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	for (i = 0; i < manifest->callback_count && !status; i++)
		status = check_callback(reader, i);
	for (i = 0; i < manifest->state_count && !status; i++)
		if (has_state(manifest, manifest->states[i].id, i))
			status = refuse_text(reader, HOTPATCH_E_DUPLICATE,
					     "declares twice the state",
					     manifest->states[i].id);
	return status;
}

static enum hotpatch_status read_notes(struct reader *reader)
{
	enum hotpatch_status status;

	status = hp_elf_each_note(&reader->elf, survey, reader);
	if (status == HOTPATCH_OK)
		status = check_survey(reader);
	if (status == HOTPATCH_OK)
		status = reserve(reader);
	if (status == HOTPATCH_OK)
		status = hp_elf_each_note(&reader->elf, hp_manifest_take,
					  reader);
	if (status == HOTPATCH_OK)
		status = hp_elf_each_note(&reader->elf, hp_manifest_take_sealed,
					  reader);
	if (status == HOTPATCH_OK)
		status = check_replaces(reader);
	if (status == HOTPATCH_OK)
		status = check_calls(reader);
	return status;
}

const char *hp_callback_name(enum hotpatch_callback_kind kind)
{
	static const char *const names[] = {
		[HOTPATCH_CALLBACK_PREPARE] = "prepare",
		[HOTPATCH_CALLBACK_COMMIT] = "commit",
		[HOTPATCH_CALLBACK_BEFORE_REVERT] = "before-revert",
		[HOTPATCH_CALLBACK_AFTER_REVERT] = "after-revert",
		[HOTPATCH_CALLBACK_MIGRATE] = "migrate",
		[HOTPATCH_CALLBACK_CLEAN_UP] = "clean-up",
	};

	return names[kind];
}

int hp_replace_compare(const void *a, const void *b)
{
	const struct hp_replace *one = a;
	const struct hp_replace *other = b;
	int order = strcmp(one->name, other->name);

	if (!order)
		order = strcmp(one->file, other->file);
	if (!order)
		order = strcmp(one->module, other->module);
	return order;
}

static enum hotpatch_status parse(struct reader *reader,
				  struct hp_manifest *manifest)
{
	enum hotpatch_status status = hp_elf_read(&reader->elf);

	if (status == HOTPATCH_OK)
		status = read_notes(reader);
	if (status != HOTPATCH_OK) {
		hp_manifest_release(&reader->manifest);
		return status;
	}
	reader->manifest.constructors = reader->elf.constructors;
	*manifest = reader->manifest;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_manifest_parse(const void *bytes, size_t size,
				       const char *object,
				       struct hp_manifest *manifest,
				       struct hotpatch_error *err)
{
	struct reader reader = {
		.elf = {bytes, size, object, err, .constructors = 0},
	};

	return parse(&reader, manifest);
}

enum hotpatch_status hp_manifest_parse_unsealed(const void *bytes, size_t size,
						const char *object,
						struct hp_manifest *manifest,
						struct hotpatch_error *err)
{
	struct reader reader = {
		.elf = {bytes, size, object, err, .constructors = 0},
		.unsealed = true,
	};

	return parse(&reader, manifest);
}

void hp_manifest_release(struct hp_manifest *manifest)
{
	free(manifest->targets);
	free(manifest->replaces);
	free(manifest->supersedes);
	free(manifest->requires);
	free(manifest->conflicts);
	free(manifest->callbacks);
	free(manifest->states);
	free(manifest->imports);
	free(manifest->exports);
	free(manifest->allows);
	memset(manifest, 0, sizeof(*manifest));
}
