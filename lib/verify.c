/* SPDX-License-Identifier: MIT */
/*
 * Compares this process with what it should be: the code of bundles with the
 * bytes that were verified, the targets of functions with what the list of
 * patches says, and the patches that are active with those that are desired.
 */
#include <hotpatch/desired.h>

#include "atomic.h"
#include "engine.h"
#include "patch.h"
#include "stage.h"
#include "status.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of differences that are found under the lock, and told after it. */
#define LIMIT 256

struct verdict {
	struct hotpatch_difference *found;
	size_t count;
	struct hotpatch_error *err;
	void (*told)(const struct hotpatch_difference *difference, void *data);
	void *data;
};

static struct hotpatch_difference *next(struct verdict *verdict,
					const char *object)
{
	struct hotpatch_difference *difference;

	if (verdict->count++ >= LIMIT)
		return NULL;
	difference = &verdict->found[verdict->count - 1];
	hp_text_copy(difference->object, sizeof(difference->object), object);
	return difference;
}

static void say(struct hotpatch_difference *difference, const char *format,
		const char *name, const char *more)
{
	struct hotpatch_error text;

	if (!difference)
		return;
	hp_error(&text, HOTPATCH_E_DIVERGED, 0, name, "%s%s%s", name, format,
		 more);
	hp_text_copy(difference->sentence, sizeof(difference->sentence),
		     text.sentence);
}

/* ---- Code ---- */

static Elf64_Phdr segment_of(const struct hotpatch_patch *patch, size_t index)
{
	const unsigned char *bytes = patch->file.bytes;
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	memcpy(&header, bytes, sizeof(header));
	memcpy(&segment, bytes + header.e_phoff + index * sizeof(segment),
	       sizeof(segment));
	return segment;
}

static size_t segment_count(const struct hotpatch_patch *patch)
{
	Elf64_Ehdr header;

	memcpy(&header, patch->file.bytes, sizeof(header));
	return header.e_phnum;
}

/* What has to be added to an address in the file. */
static uintptr_t base_of(const struct hotpatch_patch *patch)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t lowest = UINTPTR_MAX;
	Elf64_Phdr segment;
	size_t i;

	for (i = 0; i < segment_count(patch); i++) {
		segment = segment_of(patch, i);
		if (segment.p_type == PT_LOAD && segment.p_vaddr < lowest)
			lowest = segment.p_vaddr;
	}
	return patch->image.start - (lowest & ~(page - 1));
}

/* The loader wrote into the others. */
static bool is_as_verified(const struct hotpatch_patch *patch,
			   const Elf64_Phdr *segment, uintptr_t base)
{
	const unsigned char *bytes = patch->file.bytes;

	return segment->p_type != PT_LOAD || (segment->p_flags & PF_W) ||
	       !memcmp(bytes + segment->p_offset,
		       (const void *)(base + segment->p_vaddr),
		       segment->p_filesz);
}

static void check_code(struct verdict *verdict,
		       const struct hotpatch_patch *patch)
{
	const char *name = patch->manifest.name;
	uintptr_t base = base_of(patch);
	Elf64_Phdr segment;
	size_t i;

	for (i = 0; i < segment_count(patch); i++) {
		segment = segment_of(patch, i);
		if (!is_as_verified(patch, &segment, base))
			say(next(verdict, name), " has ", name,
			    segment.p_flags & PF_X ?
				    "code that was not verified" :
				    "constants that were not verified");
	}
}

/* ---- Targets ---- */

static void check_slot(struct verdict *verdict,
		       const struct hotpatch_slot *slot)
{
	const struct hp_binding *winner = hp_slot_winner(slot, HP_OLD_SIDE);
	char name[128];

	/* Relaxed: it is stored under the lock, which is held. */
	if (hp_load_relaxed(slot->target) == hp_slot_target(slot, HP_OLD_SIDE))
		return;
	hp_slot_name(slot, name, sizeof(name));
	say(next(verdict, name), " does not lead to ", name,
	    winner ? winner->patch->manifest.name : "its original");
}

static enum hotpatch_status look(struct verdict *verdict,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	const struct hotpatch_patch *patch;
	const struct hp_module *module;
	size_t i;

	hp_engine_lock();
	if (hp_stage_now() != HP_STAGE_NONE)
		status = hp_error(err, HOTPATCH_E_BUSY, 0, "transition",
				  "a transition is running; what should run "
				  "is not decided");
	for (patch = hp_patches; patch && !status; patch = patch->next)
		if (patch->image.handle && !patch->unloading)
			check_code(verdict, patch);
	for (module = hp_modules; module && !status; module = module->next)
		for (i = 0; i < module->count; i++)
			check_slot(verdict, module->by_name[i]);
	hp_engine_unlock();
	return status;
}

/* ---- Telling ---- */

static void tell(struct verdict *verdict,
		 const struct hotpatch_difference *difference, bool first)
{
	if (first)
		hp_error(verdict->err, HOTPATCH_E_DIVERGED, 0,
			 difference->object, "%s", difference->sentence);
	if (verdict->told)
		verdict->told(difference, verdict->data);
}

static void tell_missing(struct verdict *verdict,
			 const struct hotpatch_desired_info *info, bool first)
{
	struct hotpatch_difference difference = {.object = ""};
	struct hotpatch_error text;

	hp_text_copy(difference.object, sizeof(difference.object), info->name);
	hp_error(&text, HOTPATCH_E_DIVERGED, 0, info->name,
		 "%s is desired and not active%s%s", info->name,
		 *info->sentence ? ": " : "", info->sentence);
	hp_text_copy(difference.sentence, sizeof(difference.sentence),
		     text.sentence);
	tell(verdict, &difference, first);
}

static bool is_desired(const struct hotpatch_desired_info *infos, size_t count,
		       const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (infos[i].desired && infos[i].active &&
		    !strcmp(infos[i].name, name))
			return true;
	return false;
}

static size_t compare_active(struct verdict *verdict,
			     const struct hotpatch_desired_info *infos,
			     size_t count, bool first)
{
	size_t patch_count = hotpatch_patch_list(NULL, 0);
	struct hotpatch_patch_info *patches =
		calloc(patch_count + 1, sizeof(*patches));
	struct hotpatch_difference difference;
	size_t found;
	size_t told = 0;
	size_t i;

	found = patches ? hotpatch_patch_list(patches, patch_count) : 0;
	for (i = 0; i < found && i < patch_count; i++) {
		if (patches[i].state != HOTPATCH_ACTIVE ||
		    is_desired(infos, count, patches[i].name))
			continue;
		hp_text_copy(difference.object, sizeof(difference.object),
			     patches[i].name);
		say(&difference, " is active and not desired", patches[i].name,
		    "");
		tell(verdict, &difference, first && !told);
		told++;
	}
	free(patches);
	return told;
}

static enum hotpatch_status compare_desired(struct verdict *verdict,
					    size_t *told,
					    struct hotpatch_error *err)
{
	struct hotpatch_desired_info *infos = calloc(LIMIT, sizeof(*infos));
	enum hotpatch_status status;
	size_t count = 0;
	bool off;
	size_t i;

	if (!infos)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "desired",
				"no memory for the list of bundles that shall "
				"be on");
	status = hotpatch_desired_list(infos, LIMIT, &count, &off, err);
	if (status == HOTPATCH_OK) {
		count = count < LIMIT ? count : LIMIT;
		for (i = 0; i < count; i++)
			if (infos[i].desired && !infos[i].active)
				tell_missing(verdict, &infos[i], !(*told)++);
		*told += compare_active(verdict, infos, count, !*told);
	}
	free(infos);
	/* Without a directory nothing can be desired. */
	return status == HOTPATCH_E_STATE ? HOTPATCH_OK : status;
}

static enum hotpatch_status verify(struct verdict *verdict,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status = look(verdict, err);
	size_t told;

	if (status != HOTPATCH_OK)
		return status;
	if (verdict->count > LIMIT)
		return hp_error(err, HOTPATCH_E_LIMIT, 0, "differences",
				"more than %d functions or bundles differ",
				LIMIT);
	for (told = 0; told < verdict->count; told++)
		tell(verdict, &verdict->found[told], !told);
	status = compare_desired(verdict, &told, told ? NULL : err);
	if (status != HOTPATCH_OK)
		return status;
	return told ? HOTPATCH_E_DIVERGED : HOTPATCH_OK;
}

enum hotpatch_status hotpatch_verify(
	void (*told)(const struct hotpatch_difference *difference, void *data),
	void *data, struct hotpatch_error *err)
{
	struct verdict verdict = {.err = err, .told = told, .data = data};
	enum hotpatch_status status;
	int cancel_state;

	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_engine_leave(cancel_state);
	verdict.found = calloc(LIMIT, sizeof(*verdict.found));
	if (!verdict.found)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM,
				"differences", "no memory for differences");
	status = verify(&verdict, err);
	free(verdict.found);
	return status;
}
