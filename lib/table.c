/* SPDX-License-Identifier: MIT */
/*
 * Modules that come and go with their tables. A module that comes while
 * patches are active gets its replacements before any of its own code runs,
 * because its table is registered by its first constructor.
 */
#include "engine.h"
#include "event.h"
#include "late.h"
#include "moving.h"
#include "patch.h"
#include "slot.h"
#include "status.h"
#include "transition.h"

#include <string.h>

static bool is_on(const struct hotpatch_patch *patch)
{
	return patch->state == HOTPATCH_APPLYING ||
	       patch->state == HOTPATCH_ACTIVE ||
	       patch->state == HOTPATCH_REVERTING;
}

static bool is_in(const struct hp_module *module,
		  const struct hotpatch_slot *slot)
{
	return slot && slot >= module->start &&
	       slot < module->start + module->count;
}

/* Takes back what was bound of @patch in @module; false if that is nothing. */
static bool unbind_module(struct hotpatch_patch *patch,
			  const struct hp_module *module)
{
	bool was_bound = false;
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++) {
		if (!is_in(module, patch->bindings[i].slot))
			continue;
		hp_slot_unlink(&patch->bindings[i]);
		was_bound = true;
	}
	return was_bound;
}

static void bind_patches(const struct hp_module *module)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	enum hotpatch_status status;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!is_on(patch) || hp_late_has_refused(patch, module))
			continue;
		status = hp_patch_check_module(patch, module, &err);
		if (status == HOTPATCH_OK)
			status = hp_patch_bind(patch, module, &err);
		if (status == HOTPATCH_OK)
			continue;
		unbind_module(patch, module);
		hp_event(HOTPATCH_PHASE_REFUSED, status, patch->manifest.name,
			 err.object);
	}
}

/* What patches that move have bound takes part in the transition: else it
 * would stay when that goes back, and lead to what is unmapped then. Without
 * memory for that they leave the module alone. */
static void make_room(const struct hp_module *module)
{
	struct hotpatch_patch *patch;
	size_t count = 0;
	size_t i;

	for (i = 0; i < module->count; i++)
		count += hp_moving_first(&module->start[i]) != NULL;
	if (hp_transition_has_room(count))
		return;
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving && unbind_module(patch, module))
			hp_event(HOTPATCH_PHASE_REFUSED, HOTPATCH_E_NO_MEMORY,
				 patch->manifest.name, module->facts.name);
}

static void module_came(struct hp_module *module)
{
	size_t i;

	hp_late_comes(module);
	hp_module_insert(module);
	hp_late_came(module);
	hp_event(HOTPATCH_PHASE_MODULE_CAME, HOTPATCH_OK, NULL,
		 module->facts.name);
	bind_patches(module);
	make_room(module);
	for (i = 0; i < module->count; i++)
		if (module->start[i].top)
			hp_transition_slot_came(&module->start[i]);
	hp_late_bound(module);
}

void hotpatch_module_register(struct hotpatch_slot *start,
			      struct hotpatch_slot *stop)
{
	struct hp_module *module;

	hp_engine_start();
	if (!hp_engine_usable() || start == stop)
		return;
	module = hp_module_create(start, stop);
	if (!module) {
		hp_event(HOTPATCH_PHASE_REFUSED, HOTPATCH_E_NO_MEMORY, NULL,
			 start->name);
		return;
	}
	hp_engine_lock();
	module_came(module);
	hp_engine_unlock();
}

static void module_goes(struct hp_module *module)
{
	hp_late_goes(module);
	hp_module_remove(module);
	hp_transition_module_went(module);
	hp_event(HOTPATCH_PHASE_MODULE_WENT, HOTPATCH_OK, NULL,
		 module->facts.name);
	hp_late_gone(module);
}

void hotpatch_module_unregister(struct hotpatch_slot *start,
				struct hotpatch_slot *stop)
{
	struct hp_module *module;

	(void)stop;
	if (!hp_engine_usable())
		return;
	hp_engine_lock();
	module = hp_module_at(start);
	if (module)
		module_goes(module);
	hp_engine_unlock();
	hp_module_destroy(module);
}

static void fill_slot(const struct hp_module *module,
		      const struct hotpatch_slot *slot,
		      struct hotpatch_slot_info *info)
{
	const struct hp_binding *winner = hp_slot_winner(slot, HP_NEW_SIDE);
	const struct hp_binding *previous = hp_slot_winner(slot, HP_OLD_SIDE);
	const struct hp_binding *binding;

	memset(info, 0, sizeof(*info));
	hp_text_copy(info->module, sizeof(info->module), module->facts.name);
	hp_slot_name(slot, info->name, sizeof(info->name));
	hp_text_copy(info->prototype, sizeof(info->prototype), slot->prototype);
	if (winner)
		hp_text_copy(info->patch, sizeof(info->patch),
			     winner->patch->manifest.name);
	info->redirected = !module->start;
	for (binding = slot->top; binding; binding = binding->below)
		info->replacements += binding->patch->on[HP_NEW_SIDE];
	hp_text_copy(info->module_build_id, sizeof(info->module_build_id),
		     module->facts.build_id);
	hp_text_copy(info->build_id, sizeof(info->build_id),
		     winner ? winner->patch->manifest.build_id :
			      module->facts.build_id);
	info->moving = winner != previous;
	if (info->moving && previous)
		hp_text_copy(info->previous, sizeof(info->previous),
			     previous->patch->manifest.name);
}

size_t hotpatch_slot_list(struct hotpatch_slot_info *infos, size_t size)
{
	const struct hp_module *module;
	size_t count = 0;
	size_t i;

	hp_engine_lock();
	for (module = hp_modules; module; module = module->next) {
		for (i = 0; i < module->count; i++, count++)
			if (count < size)
				fill_slot(module, module->by_name[i],
					  &infos[count]);
	}
	hp_engine_unlock();
	return count;
}
