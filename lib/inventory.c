/* SPDX-License-Identifier: MIT */
/*
 * What is on in this process, as one text, and what the library takes for it.
 * Only reads what other modules own.
 */
#include "arena.h"
#include "engine.h"
#include "module.h"
#include "observe/text.h"
#include "patch.h"
#include "slot.h"
#include "task.h"

#include <hotpatch/inventory.h>
#include <string.h>
#include <sys/auxv.h>

#define BUILD_DIGITS 12

/* A text that may be cut, and the length that it would have. */
/* Of those that new sections see, the one with the smallest order above
 * @after. */
static const struct hotpatch_patch *next_seen(uint64_t after)
{
	const struct hotpatch_patch *best = NULL;
	const struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->on[HP_NEW_SIDE] && patch->order > after &&
		    (!best || patch->order < best->order))
			best = patch;
	return best;
}

size_t hotpatch_effective_version(char *place, size_t size)
{
	const void *headers = (const void *)getauxval(AT_PHDR);
	struct hp_text text = {place, place ? size : 0, 0};
	const struct hotpatch_patch *patch;
	struct hp_module_facts program;

	if (hp_module_find(headers, &program) && *program.build_id)
		hp_text_add(&text, "%.*s", BUILD_DIGITS, program.build_id);
	else
		hp_text_add(&text, "unknown");
	hp_engine_lock();
	for (patch = next_seen(0); patch; patch = next_seen(patch->order))
		hp_text_add(&text, "+%s@%llu", patch->manifest.name,
			    (unsigned long long)patch->manifest.sequence);
	hp_engine_unlock();
	return text.length;
}

static void add_patch(const struct hotpatch_patch *patch,
		      struct hotpatch_memory_info *info)
{
	size_t mapped = 0;

	if (patch->state != HOTPATCH_CLOSED)
		mapped = patch->image.stop - patch->image.start;
	info->mapped_bytes += mapped;
	if (patch->state == HOTPATCH_RETAINED)
		info->retained_bytes += mapped;
	info->file_bytes += patch->file.size;
	info->record_bytes +=
		sizeof(*patch) +
		patch->manifest.replace_count * sizeof(struct hp_binding);
}

static void add_module(const struct hp_module *module,
		       struct hotpatch_memory_info *info)
{
	size_t places = module->capacity ? module->capacity : module->count + 1;

	info->record_bytes +=
		sizeof(*module) + places * sizeof(*module->by_name);
}

enum hotpatch_status hotpatch_memory_info(struct hotpatch_memory_info *info)
{
	const struct hotpatch_patch *patch;
	const struct hp_module *module;

	if (!info || info->size != sizeof(*info))
		return HOTPATCH_E_ARGUMENT;
	*info = (struct hotpatch_memory_info){.size = sizeof(*info)};
	info->task_bytes = hp_arena_bytes();
	hp_engine_lock();
	for (patch = hp_patches; patch; patch = patch->next)
		add_patch(patch, info);
	for (module = hp_modules; module; module = module->next)
		add_module(module, info);
	info->record_bytes += hp_slot_view_bytes();
	hp_redirects_bytes(&info->redirect_bytes, &info->redirect_idle_bytes);
	hp_engine_unlock();
	return HOTPATCH_OK;
}
