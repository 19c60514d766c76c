/* SPDX-License-Identifier: MIT */
/*
 * The patches that take part in the open transition, and the slots that they
 * change.
 */
#include "moving.h"

#include "patch.h"

struct hp_binding *hp_moving_first(const struct hotpatch_slot *slot)
{
	struct hp_binding *binding = slot->top;

	while (binding && !binding->patch->moving)
		binding = binding->below;
	return binding;
}

size_t hp_moving_slots(struct hotpatch_slot **slots)
{
	struct hotpatch_patch *patch;
	struct hp_binding *binding;
	size_t count = 0;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next) {
		for (i = 0; patch->moving && i < patch->manifest.replace_count;
		     i++) {
			binding = &patch->bindings[i];
			if (!binding->slot ||
			    hp_moving_first(binding->slot) != binding)
				continue;
			if (slots)
				slots[count] = binding->slot;
			count++;
		}
	}
	return count;
}

bool hp_moving_is_immediate(void)
{
	struct hotpatch_patch *patch;
	bool immediate = true;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving)
			immediate &= patch->manifest.consistency ==
				     HOTPATCH_IMMEDIATE;
	return immediate;
}

void hp_moving_clear_reasons(void)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->moving)
			continue;
		patch->reversed = false;
		hp_patch_forget_reason(patch);
	}
}

void hp_moving_turn(void)
{
	struct hotpatch_patch *patch;
	bool old;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->moving)
			continue;
		old = patch->on[HP_OLD_SIDE];
		patch->on[HP_OLD_SIDE] = patch->on[HP_NEW_SIDE];
		patch->on[HP_NEW_SIDE] = old;
	}
}

void hp_moving_since(uint64_t now_ns)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->moving)
			patch->began_ns = now_ns;
}
