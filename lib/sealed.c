/* SPDX-License-Identifier: MIT */
/*
 * The seal's notes. A note of a build comes first, then the facts of that
 * build; the facts stay where they lie in the file, which may be anywhere.
 */
#include "sealed.h"

#include <string.h>

bool hp_sealed_is_note(uint32_t type)
{
	return (type >= HOTPATCH_NOTE_ROOM && type <= HOTPATCH_NOTE_ALLOW) ||
	       type == HOTPATCH_NOTE_SEALED_REDIRECTS;
}

static struct hp_target *find_target(struct hp_manifest *manifest,
				     const char *const texts[2])
{
	struct hp_target *target = manifest->targets;
	size_t i;

	for (i = 0; i < manifest->target_count; i++, target++)
		if (!strcmp(target->module, texts[0]) &&
		    !strcmp(target->build_id, texts[1]))
			return target;
	return NULL;
}

const char *hp_sealed_build(struct hp_manifest *manifest,
			    const struct hp_note *note,
			    const char *const texts[2])
{
	struct hp_target *target = find_target(manifest, texts);
	struct hotpatch_note_build head;

	memcpy(&head, note->bytes, sizeof(head));
	if (head.abi != HOTPATCH_ABI_HASH || head.reserved)
		return "is sealed in an unknown way";
	if (!target) {
		target = &manifest->targets[manifest->target_count++];
		target->module = texts[0];
		target->build_id = texts[1];
	}
	if (target->sealed)
		return "is sealed twice for one build";
	target->sealed = true;
	manifest->sealing = target;
	return NULL;
}

static const char *take_functions(const struct hp_manifest *manifest,
				  struct hp_target *target,
				  const struct hp_note *note)
{
	struct hotpatch_sealed_function fact;
	size_t i;

	if (target->functions || note->size % sizeof(fact))
		return "has malformed facts of functions";
	target->functions = note->bytes;
	target->function_count = note->size / sizeof(fact);
	for (i = 0; i < target->function_count; i++) {
		memcpy(&fact, note->bytes + i * sizeof(fact), sizeof(fact));
		if (fact.function >= manifest->replace_count ||
		    (fact.flags & ~HOTPATCH_SEALED_OPAQUE))
			return "has malformed facts of functions";
	}
	return NULL;
}

static const char *take_imports(const struct hp_manifest *manifest,
				struct hp_target *target,
				const struct hp_note *note)
{
	struct hotpatch_sealed_import fact;
	bool is_tls;
	size_t i;

	if (target->imports || note->size % sizeof(fact))
		return "has malformed facts of imports";
	target->imports = note->bytes;
	target->import_count = note->size / sizeof(fact);
	for (i = 0; i < target->import_count; i++) {
		memcpy(&fact, note->bytes + i * sizeof(fact), sizeof(fact));
		if (fact.import >= manifest->import_count ||
		    fact.kind > HOTPATCH_SEALED_TLS)
			return "has malformed facts of imports";
		is_tls = manifest->imports[fact.import].kind ==
			 HOTPATCH_IMPORT_THREAD_LOCAL;
		if (fact.kind != HOTPATCH_SEALED_EXPORTED &&
		    is_tls != (fact.kind == HOTPATCH_SEALED_TLS))
			return "has malformed facts of imports";
	}
	return NULL;
}

static const char *take_redirects(const struct hp_manifest *manifest,
				  struct hp_target *target,
				  const struct hp_note *note)
{
	struct hotpatch_sealed_redirect fact;
	size_t i;

	if (target->redirects || note->size % sizeof(fact))
		return "has malformed facts of redirects";
	target->redirects = note->bytes;
	target->redirect_count = note->size / sizeof(fact);
	for (i = 0; i < target->redirect_count; i++) {
		memcpy(&fact, note->bytes + i * sizeof(fact), sizeof(fact));
		if (fact.function >= manifest->replace_count ||
		    !manifest->replaces[fact.function].redirect || !fact.size ||
		    fact.size > HP_SEALED_CODE_LIMIT)
			return "has malformed facts of redirects";
	}
	return NULL;
}

const char *hp_sealed_facts(struct hp_manifest *manifest,
			    const struct hp_note *note)
{
	struct hp_target *target = manifest->sealing;
	size_t i;

	switch (note->type) {
	case HOTPATCH_NOTE_SEALED_FUNCTIONS:
		return target ? take_functions(manifest, target, note) :
				"has facts of no build";
	case HOTPATCH_NOTE_SEALED_IMPORTS:
		return target ? take_imports(manifest, target, note) :
				"has facts of no build";
	case HOTPATCH_NOTE_SEALED_REDIRECTS:
		return target ? take_redirects(manifest, target, note) :
				"has facts of no build";
	case HOTPATCH_NOTE_ROOM:
		for (i = 0; i < note->size; i++)
			if (note->bytes[i])
				return "has something in the room for its seal";
		return NULL;
	default:
		return NULL;
	}
}

bool hp_sealed_function(const struct hp_target *target, size_t index,
			struct hotpatch_sealed_function *fact)
{
	size_t i;

	for (i = 0; i < target->function_count; i++) {
		memcpy(fact, target->functions + i * sizeof(*fact),
		       sizeof(*fact));
		if (fact->function == index)
			return true;
	}
	return false;
}

bool hp_sealed_import(const struct hp_target *target, size_t index,
		      struct hotpatch_sealed_import *fact)
{
	size_t i;

	for (i = 0; i < target->import_count; i++) {
		memcpy(fact, target->imports + i * sizeof(*fact),
		       sizeof(*fact));
		if (fact->import == index)
			return true;
	}
	return false;
}

bool hp_sealed_redirect(const struct hp_target *target, size_t index,
			struct hotpatch_sealed_redirect *fact)
{
	size_t i;

	for (i = 0; i < target->redirect_count; i++) {
		memcpy(fact, target->redirects + i * sizeof(*fact),
		       sizeof(*fact));
		if (fact->function == index)
			return true;
	}
	return false;
}

bool hp_manifest_is_sealed(const struct hp_manifest *manifest)
{
	size_t i;

	for (i = 0; i < manifest->target_count; i++)
		if (manifest->targets[i].sealed)
			return true;
	return false;
}
