/* SPDX-License-Identifier: MIT */
/*
 * Reads a bundle's manifest out of the notes of an ELF file. The notes are
 * walked first to count and to find the one that tells the format, then to
 * take what they say, and last for those that the seal wrote.
 */
#include "manifest.h"

#include "elf_file.h"
#include "sealed.h"
#include "status.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define REPLACE_LIMIT 65536
#define TARGET_LIMIT 64
#define IMPORT_LIMIT 65536
#define NAME_LIMIT 1024 /* of replaced, required and excluded patches each */

struct reader {
	struct hp_elf elf;
	struct hp_manifest manifest;
	size_t bundles;
	size_t others; /* notes of our own that are not the bundle's head */
	uint32_t format;
	size_t expiries;
	uint32_t unknown;  /* a type that this format does not have, or 0 */
	bool odd_build_id; /* longer than any known kind */
	bool unsealed;	   /* what an earlier seal wrote is passed over */
};

static enum hotpatch_status refuse(const struct reader *reader,
				   enum hotpatch_status status,
				   const char *what)
{
	return hp_elf_refuse(&reader->elf, status, what);
}

static enum hotpatch_status refuse_text(const struct reader *reader,
					enum hotpatch_status status,
					const char *what, const char *text)
{
	const char *object = reader->elf.object;

	return hp_error(reader->elf.err, status, 0, object, "%s %s \"%s\"",
			object, what, text);
}

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
	else if (note->type == HOTPATCH_NOTE_REPLACE)
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

/* These texts are shown on terminals and in logs. */
static bool is_clean(const char *text, size_t limit)
{
	const char *at;

	for (at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	return (size_t)(at - text) <= limit;
}

static bool is_base_name(const char *text)
{
	return is_clean(text, 255) && !strchr(text, '/');
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool is_function_name(const char *text)
{
	const char *at;

	if (!*text || (*text >= '0' && *text <= '9'))
		return false;
	for (at = text; *at; at++)
		if (!is_letter_or_digit(*at) && *at != '_' && *at != '$' &&
		    (unsigned char)*at < 0x80)
			return false;
	return at - text <= 255;
}

static bool is_patch_name(const char *text)
{
	const char *at;

	for (at = text; *at; at++)
		if (!is_letter_or_digit(*at) && !strchr("._+-", *at))
			return false;
	return at != text && at - text < HOTPATCH_NAME_SIZE;
}

static bool is_build_id(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return !text[length] && length >= 16 &&
	       length < HOTPATCH_BUILD_ID_SIZE && length % 2 == 0;
}

static enum hotpatch_status take_bundle(struct reader *reader,
					const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_bundle head;

	if (!hp_note_split(note, sizeof(head), &manifest->name, 1))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note with its name");
	memcpy(&head, note->bytes, sizeof(head));
	if (!is_patch_name(manifest->name))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a name that is not 1 to 63 of A-Z, a-z, "
			      "0-9, and . _ + -");
	if (head.kind > HOTPATCH_KIND_RESTART ||
	    head.consistency > HOTPATCH_RENDEZVOUS ||
	    (head.flags & ~HOTPATCH_FLAG_CONSTRUCTORS))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a kind, consistency or flag that this "
			      "format does not have");
	manifest->sequence = head.sequence;
	manifest->kind = (enum hotpatch_bundle_kind)head.kind;
	manifest->consistency = (enum hotpatch_consistency)head.consistency;
	manifest->flags = head.flags;
	return HOTPATCH_OK;
}

static bool has_target(const struct hp_manifest *manifest, const char *module)
{
	size_t i;

	for (i = 0; i < manifest->target_count; i++)
		if (!strcmp(manifest->targets[i].module, module))
			return true;
	return false;
}

/* What notes of targets and of sealed builds have alike. */
static enum hotpatch_status check_target(const struct reader *reader,
					 const char *const texts[2])
{
	if (!is_base_name(texts[0]))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a target");
	if (!is_build_id(texts[1]))
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "needs 16 to 40 lower-case hexadecimal "
				   "digits as the build-id of",
				   texts[0]);
	return HOTPATCH_OK;
}

static enum hotpatch_status take_target(struct reader *reader,
					const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	const char *texts[2];
	enum hotpatch_status status;

	if (!hp_note_split(note, 0, texts, 2))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a target");
	status = check_target(reader, texts);
	if (status != HOTPATCH_OK)
		return status;
	if (has_target(manifest, texts[0]))
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "names two builds of", texts[0]);
	manifest->targets[manifest->target_count].module = texts[0];
	manifest->targets[manifest->target_count].build_id = texts[1];
	manifest->target_count++;
	return HOTPATCH_OK;
}

/* The seal's notes come after all others, so that the first target stays. */
static enum hotpatch_status take_sealed(void *context,
					const struct hp_note *note)
{
	struct reader *reader = context;
	enum hotpatch_status status;
	const char *texts[2];
	const char *fault = NULL;

	if (!hp_note_is(note, HOTPATCH_NOTE_OWNER, note->type) ||
	    !hp_sealed_is_note(note->type) || reader->unsealed)
		return HOTPATCH_OK;
	if (note->type == HOTPATCH_NOTE_BUILD) {
		if (!hp_note_split(note, sizeof(struct hotpatch_note_build),
				   texts, 2))
			return refuse(reader, HOTPATCH_E_NOTE,
				      "has a malformed note of a sealed build");
		status = check_target(reader, texts);
		if (status != HOTPATCH_OK)
			return status;
		fault = hp_sealed_build(&reader->manifest, note, texts);
	} else {
		fault = hp_sealed_facts(&reader->manifest, note);
	}
	return fault ? refuse(reader, HOTPATCH_E_NOTE, fault) : HOTPATCH_OK;
}

static enum hotpatch_status take_replace(struct reader *reader,
					 const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_replace head;
	struct hp_replace *replace;
	const char *texts[4];

	if (!hp_note_split(note, sizeof(head), texts, 4) ||
	    !is_base_name(texts[0]) || !is_base_name(texts[1]) ||
	    !is_function_name(texts[2]) || !is_clean(texts[3], SIZE_MAX))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a replacement");
	memcpy(&head, note->bytes, sizeof(head));
	if (head.kind || head.reserved)
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "replaces in an unknown way", texts[2]);
	replace = &manifest->replaces[manifest->replace_count++];
	replace->module = texts[0];
	replace->file = texts[1];
	replace->name = texts[2];
	replace->prototype = texts[3];
	replace->abi_hash = head.abi_hash;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_name(struct reader *reader,
				      const struct hp_note *note,
				      const char **names, size_t *count,
				      bool all)
{
	const char *text;

	if (!hp_note_split(note, 0, &text, 1) ||
	    (!is_patch_name(text) && !(all && !strcmp(text, "*"))))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed name of another patch");
	names[(*count)++] = text;
	return HOTPATCH_OK;
}

/* A time of 0 would be taken for none. */
static enum hotpatch_status take_expires(struct reader *reader,
					 const struct hp_note *note)
{
	struct hotpatch_note_expires head = {0};
	const char *text = "";

	if (note->size >= sizeof(head))
		memcpy(&head, note->bytes, sizeof(head));
	if (!head.seconds ||
	    (note->size != sizeof(head) &&
	     !hp_note_split(note, sizeof(head), &text, 1)) ||
	    *text)
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of its expiry");
	reader->manifest.expires_s = head.seconds;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_callback(struct reader *reader,
					  const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_callback head;
	struct hp_callback *callback;
	const char *object;

	if (!hp_note_split(note, sizeof(head), &object, 1) ||
	    !is_base_name(object))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a callback");
	memcpy(&head, note->bytes, sizeof(head));
	if (head.kind > HOTPATCH_CALLBACK_CLEAN_UP || head.reserved ||
	    (head.kind == HOTPATCH_CALLBACK_MIGRATE && *object))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a callback of an unknown kind");
	callback = &manifest->callbacks[manifest->callback_count++];
	callback->kind = (enum hotpatch_callback_kind)head.kind;
	callback->object = object;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_state(struct reader *reader,
				       const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_state head;
	struct hp_state *state;
	const char *id;

	if (!hp_note_split(note, sizeof(head), &id, 1) || !is_patch_name(id))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a state");
	memcpy(&head, note->bytes, sizeof(head));
	if (!head.version || head.reserved)
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "gives no version of the state", id);
	state = &manifest->states[manifest->state_count++];
	state->id = id;
	state->version = head.version;
	return HOTPATCH_OK;
}

/* An import from a patch requires it, as if a note said so. */
static void require(struct hp_manifest *manifest, const char *patch)
{
	size_t i;

	for (i = 0; i < manifest->require_count; i++)
		if (!strcmp(manifest->requires[i], patch))
			return;
	manifest->requires[manifest->require_count++] = patch;
}

static enum hotpatch_status take_import(struct reader *reader,
					const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_import head;
	struct hp_import *import;
	const char *texts[5];

	if (!hp_note_split(note, sizeof(head), texts, 5) ||
	    (*texts[0] && !is_patch_name(texts[0])) ||
	    !is_base_name(texts[1]) || !is_base_name(texts[2]) ||
	    !is_function_name(texts[3]) || !is_clean(texts[4], SIZE_MAX))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of an import");
	memcpy(&head, note->bytes, sizeof(head));
	if (head.kind > HOTPATCH_IMPORT_THREAD_LOCAL || head.reserved ||
	    (*texts[0] && head.kind != HOTPATCH_IMPORT_ADDRESS))
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "imports in an unknown way", texts[3]);
	import = &manifest->imports[manifest->import_count++];
	import->kind = (enum hotpatch_import_kind)head.kind;
	import->patch = texts[0];
	import->module = texts[1];
	import->file = texts[2];
	import->name = texts[3];
	import->type = texts[4];
	if (*import->patch)
		require(manifest, import->patch);
	return HOTPATCH_OK;
}

static enum hotpatch_status take_export(struct reader *reader,
					const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hp_export *export;
	const char *texts[2];

	if (!hp_note_split(note, 0, texts, 2) || !is_function_name(texts[0]) ||
	    !is_clean(texts[1], SIZE_MAX))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of an export");
	export = &manifest->exports[manifest->export_count++];
	export->name = texts[0];
	export->type = texts[1];
	return HOTPATCH_OK;
}

static enum hotpatch_status take_allow(struct reader *reader,
				       const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hp_allow *allow = &manifest->allows[manifest->allow_count++];
	const char *texts[2];

	if (!hp_note_split(note, 0, texts, 2) || !is_clean(texts[0], 63) ||
	    !is_clean(texts[1], SIZE_MAX))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of what was allowed");
	allow->reason = texts[0];
	allow->name = texts[1];
	return HOTPATCH_OK;
}

static enum hotpatch_status take(void *context, const struct hp_note *note)
{
	struct reader *reader = context;
	struct hp_manifest *m = &reader->manifest;

	if (!hp_note_is(note, HOTPATCH_NOTE_OWNER, note->type) ||
	    (reader->unsealed && hp_sealed_is_note(note->type)))
		return HOTPATCH_OK;
	switch (note->type) {
	case HOTPATCH_NOTE_BUNDLE:
		return take_bundle(reader, note);
	case HOTPATCH_NOTE_TARGET:
		return take_target(reader, note);
	case HOTPATCH_NOTE_REPLACE:
		return take_replace(reader, note);
	case HOTPATCH_NOTE_REPLACES:
		return take_name(reader, note, m->supersedes,
				 &m->supersede_count, true);
	case HOTPATCH_NOTE_REQUIRES:
		return take_name(reader, note, m->requires, &m->require_count,
				 false);
	case HOTPATCH_NOTE_EXPIRES:
		return take_expires(reader, note);
	case HOTPATCH_NOTE_CALLBACKS:
		return take_callback(reader, note);
	case HOTPATCH_NOTE_STATE:
		return take_state(reader, note);
	case HOTPATCH_NOTE_CONFLICTS:
		return take_name(reader, note, m->conflicts, &m->conflict_count,
				 false);
	case HOTPATCH_NOTE_IMPORT:
		return take_import(reader, note);
	case HOTPATCH_NOTE_EXPORT:
		return take_export(reader, note);
	case HOTPATCH_NOTE_ALLOW:
		return take_allow(reader, note);
	default: /* the seal's, which come last */
		return HOTPATCH_OK;
	}
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
		if (*module && !has_target(manifest, module))
			return refuse_text(reader, HOTPATCH_E_NO_TARGET,
					   "names no build of", module);
	}
	for (i = 0; i < manifest->import_count; i++) {
		module = manifest->imports[i].module;
		if (*module && !has_target(manifest, module))
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
	    !has_target(manifest, object))
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
		status = hp_elf_each_note(&reader->elf, take, reader);
	if (status == HOTPATCH_OK)
		status = hp_elf_each_note(&reader->elf, take_sealed, reader);
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
