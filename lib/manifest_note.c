/* SPDX-License-Identifier: MIT */
#include "manifest_note.h"

#include "sealed.h"

#include <string.h>

bool hp_manifest_has_target(const struct hp_manifest *manifest,
			    const char *module)
{
	size_t i;

	for (i = 0; i < manifest->target_count; i++)
		if (!strcmp(manifest->targets[i].module, module))
			return true;
	return false;
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
	if (hp_manifest_has_target(manifest, texts[0]))
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "names two builds of", texts[0]);
	manifest->targets[manifest->target_count].module = texts[0];
	manifest->targets[manifest->target_count].build_id = texts[1];
	manifest->target_count++;
	return HOTPATCH_OK;
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
	replace->redirect = note->type == HOTPATCH_NOTE_REDIRECT;
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

enum hotpatch_status hp_manifest_take(void *context, const struct hp_note *note)
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
	case HOTPATCH_NOTE_REDIRECT:
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

enum hotpatch_status hp_manifest_take_sealed(void *context,
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
