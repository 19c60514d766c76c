/* SPDX-License-Identifier: MIT */
/*
 * The record of a patch: its states, how its replacements find their slots,
 * and what can be read of it.
 */
#include "patch.h"

#include "atomic.h"
#include "blocker.h"
#include "canary.h"
#include "descriptor.h"
#include "engine.h"
#include "prototype.h"
#include "status.h"
#include "step.h"
#include "target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(state) (1u << HOTPATCH_##state)

struct hotpatch_patch *hp_patches;

/* Every legal move; all others are refused. */
static const unsigned int legal_moves[] = {
	[HOTPATCH_LOADED] = BIT(STAGED) | BIT(FAILED) | BIT(CLOSED) |
			    BIT(RETAINED),
	[HOTPATCH_STAGED] = BIT(APPLYING) | BIT(FAILED),
	[HOTPATCH_APPLYING] = BIT(ACTIVE) | BIT(REVERTING),
	[HOTPATCH_ACTIVE] = BIT(REVERTING),
	[HOTPATCH_REVERTING] = BIT(REVERTED) | BIT(APPLYING),
	[HOTPATCH_REVERTED] = BIT(CLOSED) | BIT(RETAINED),
	[HOTPATCH_RETAINED] = BIT(CLOSED),
	[HOTPATCH_FAILED] = BIT(CLOSED) | BIT(RETAINED),
	[HOTPATCH_CLOSED] = 0,
};

#define STATES (sizeof(state_names) / sizeof(state_names[0]))

static const char *const state_names[] = {
#define NAME(name, text) text,
	HOTPATCH_STATE_MAP(NAME)
#undef NAME
};

const char *hotpatch_state_name(enum hotpatch_state state)
{
	return state < STATES ? state_names[state] : "unknown";
}

bool hp_state_may_move(enum hotpatch_state from, enum hotpatch_state to)
{
	return from <= HOTPATCH_FAILED && to <= HOTPATCH_FAILED &&
	       (legal_moves[from] & (1u << to)) != 0;
}

bool hp_patch_move(struct hotpatch_patch *patch, enum hotpatch_state to)
{
	if (!hp_state_may_move(patch->state, to))
		return false;
	patch->state = to;
	return true;
}

void hp_patch_explain(struct hotpatch_patch *patch, enum hotpatch_status status,
		      const char *format, ...)
{
	va_list arguments;

	patch->status = status;
	va_start(arguments, format);
	vsnprintf(patch->reason, sizeof(patch->reason), format, arguments);
	va_end(arguments);
}

bool hp_patch_keeps_reason(const struct hotpatch_patch *patch)
{
	return patch->reversed || patch->trial.failed;
}

void hp_patch_forget_reason(struct hotpatch_patch *patch)
{
	if (hp_patch_keeps_reason(patch))
		return;
	patch->status = HOTPATCH_OK;
	patch->reason[0] = '\0';
}

void hp_patch_enlist(struct hotpatch_patch *patch)
{
	struct hotpatch_patch **place = &hp_patches;

	hp_step(ENLIST);
	while (*place)
		place = &(*place)->next;
	*place = patch;
}

void hp_patch_destroy(struct hotpatch_patch *patch)
{
	hp_callback_destroy(patch);
	hp_redirects_release(patch);
	hp_manifest_release(&patch->manifest);
	hp_file_release(&patch->file);
	hp_file_release(&patch->voucher.signature);
	hp_imports_release(&patch->imports);
	free(patch->imports.exporters);
	free(patch->bindings);
	free(patch);
}

struct hotpatch_patch *hp_patch_active(const char *name)
{
	struct hotpatch_patch *patch = hp_patches;

	while (patch && !(patch->state == HOTPATCH_ACTIVE &&
			  strcmp(patch->manifest.name, name) == 0))
		patch = patch->next;
	return patch;
}

bool hp_patch_is_under_way(const struct hotpatch_patch *patch)
{
	return patch->state <= HOTPATCH_REVERTING;
}

static bool is_build(const struct hp_module *module,
		     const struct hp_target *target)
{
	return strcmp(module->facts.build_id, target->build_id) == 0;
}

bool hp_patch_is_target(const struct hotpatch_patch *patch, const char *name,
			const struct hp_module *module)
{
	const struct hp_target *targets = patch->manifest.targets;
	size_t i;

	for (i = 0; i < patch->manifest.target_count; i++)
		if (strcmp(targets[i].module, name) == 0)
			return is_build(module, &targets[i]);
	return false;
}

bool hp_patch_supersedes(const struct hotpatch_patch *patch,
			 const struct hotpatch_patch *other)
{
	const char *name;
	size_t i;

	for (i = 0; i < patch->manifest.supersede_count; i++) {
		name = patch->manifest.supersedes[i];
		if (strcmp(name, "*") == 0 ||
		    strcmp(name, other->manifest.name) == 0)
			return true;
	}
	return false;
}

static bool is_name_of(const struct hp_module *module,
		       const struct hp_target *target)
{
	return target->module[0] ?
		       strcmp(module->facts.name, target->module) == 0 :
		       module->facts.program;
}

/* The loaded module that is one of the builds for which the bundle was made;
 * else, in @other, one of that name. */
static const struct hp_module *find_module(const struct hp_manifest *manifest,
					   const char *name,
					   const struct hp_module **other)
{
	const struct hp_module *module;
	const struct hp_target *target;
	size_t i;

	*other = NULL;
	for (i = 0; i < manifest->target_count; i++) {
		target = &manifest->targets[i];
		if (strcmp(target->module, name) != 0)
			continue;
		for (module = hp_modules; module; module = module->next) {
			if (is_build(module, target))
				return module;
			if (is_name_of(module, target))
				*other = module;
		}
	}
	return NULL;
}

/* In the module's table, and among its functions that were redirected. */
static enum hotpatch_status find_slot(const struct hp_module *module,
				      const struct hp_replace *replace,
				      struct hotpatch_slot **slot)
{
	enum hotpatch_status status = HOTPATCH_E_NO_SLOT;
	const char *build_id = module->facts.build_id;

	for (; module && status == HOTPATCH_E_NO_SLOT; module = module->next)
		if (strcmp(module->facts.build_id, build_id) == 0)
			status = hp_slot_find(module, replace->file,
					      replace->name, slot);
	return status;
}

static enum hotpatch_status check_slot(const struct hp_module *module,
				       const struct hp_replace *replace,
				       struct hotpatch_slot **slot,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status = find_slot(module, replace, slot);

	if (status != HOTPATCH_OK) {
		hp_error(err, status, 0, replace->name, "%s: %s%s%s in %s",
			 hotpatch_status_text(status), replace->file,
			 replace->file[0] ? ":" : "", replace->name,
			 module->facts.name);
		return status;
	}
	/* Of a function that was redirected the type may not be known. */
	if ((*slot)->prototype[0] &&
	    !hp_prototype_equal((*slot)->prototype, replace->prototype))
		return hp_error(err, HOTPATCH_E_PROTOTYPE, 0, replace->name,
				"%s is %s in %s, but %s in the bundle",
				replace->name, (*slot)->prototype,
				module->facts.name, replace->prototype);
	return HOTPATCH_OK;
}

static enum hotpatch_status other_build(const struct hp_target *target,
					const struct hp_module *module,
					struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, module->facts.name,
			"the bundle is for build %s of %s, which is build %s",
			target->build_id, module->facts.name,
			module->facts.build_id[0] ? module->facts.build_id :
						    "without a number");
}

enum hotpatch_status hp_patch_check_module(const struct hotpatch_patch *patch,
					   const struct hp_module *module,
					   struct hotpatch_error *err)
{
	const struct hp_target *targets = patch->manifest.targets;
	const struct hp_target *named = NULL;
	size_t i;

	for (i = 0; i < patch->manifest.target_count; i++) {
		if (!is_name_of(module, &targets[i]))
			continue;
		if (is_build(module, &targets[i]))
			return HOTPATCH_OK;
		named = &targets[i];
	}
	return named ? other_build(named, module, err) : HOTPATCH_OK;
}

static enum hotpatch_status check_target(const struct hp_manifest *manifest,
					 const struct hp_target *target,
					 bool must_be_loaded,
					 struct hotpatch_error *err)
{
	const struct hp_module *other;

	if (find_module(manifest, target->module, &other))
		return HOTPATCH_OK;
	if (other)
		return other_build(target, other, err);
	if (must_be_loaded)
		return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, target->module,
				"no module with patchable functions is build "
				"%s%s%s",
				target->build_id,
				target->module[0] ? " of " : "",
				target->module);
	return HOTPATCH_OK;
}

/* Is all that the bundle has for the target functions that nobody prepared?
 * Then it need not have a table. */
static bool only_redirects(const struct hp_manifest *manifest,
			   const struct hp_target *target)
{
	const struct hp_replace *replace;
	bool redirects = false;
	size_t i;

	for (i = 0; i < manifest->replace_count; i++) {
		replace = &manifest->replaces[i];
		if (strcmp(hp_target_name(manifest, replace->module),
			   target->module) != 0)
			continue;
		if (!replace->redirect)
			return false;
		redirects = true;
	}
	return redirects;
}

/* Does the manifest fit the modules that are loaded? Under the lock. */
enum hotpatch_status hp_patch_check_fit(const struct hp_manifest *manifest,
					struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	const struct hp_replace *replace;
	const struct hp_module *module;
	const struct hp_module *other;
	struct hotpatch_slot *slot;
	size_t i;

	for (i = 0; i < manifest->target_count && !status; i++)
		if (!only_redirects(manifest, &manifest->targets[i]))
			status = check_target(manifest, &manifest->targets[i],
					      i == 0, err);
	for (i = 0; i < manifest->replace_count && !status; i++) {
		replace = &manifest->replaces[i];
		if (replace->redirect)
			continue;
		module = find_module(manifest,
				     hp_target_name(manifest, replace->module),
				     &other);
		if (module)
			status = check_slot(module, replace, &slot, err);
	}
	return status;
}

/* The record of manifest entry @index; they usually come in one order. */
struct hotpatch_replacement *hp_patch_record(const struct hotpatch_patch *patch,
					     size_t index)
{
	const struct hp_replace *wanted = &patch->manifest.replaces[index];
	struct hotpatch_replacement *start = patch->image.bundle->start;
	size_t count = patch->manifest.replace_count;
	struct hotpatch_replacement *record;
	size_t i;

	for (i = 0; i < count; i++) {
		record = &start[(index + i) % count];
		if (strcmp(record->name, wanted->name) == 0 &&
		    strcmp(record->file, wanted->file) == 0 &&
		    strcmp(record->module, wanted->module) == 0)
			return record;
	}
	return NULL;
}

/* The slot of the patch's replacement @index, if it is one of @module. */
static enum hotpatch_status find_bound(const struct hotpatch_patch *patch,
				       size_t index,
				       const struct hp_module *module,
				       struct hotpatch_slot **slot,
				       struct hotpatch_error *err)
{
	const struct hp_manifest *manifest = &patch->manifest;
	const struct hp_replace *replace = &manifest->replaces[index];
	const char *name = hp_target_name(manifest, replace->module);
	const struct hp_module *other;

	*slot = NULL;
	if (replace->redirect) {
		if (patch->redirects[index].table == module)
			*slot = patch->redirects[index].slot;
		return HOTPATCH_OK;
	}
	if (find_module(manifest, name, &other) != module)
		return HOTPATCH_OK;
	return check_slot(module, replace, slot, err);
}

enum hotpatch_status hp_patch_bind(struct hotpatch_patch *patch,
				   const struct hp_module *module,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct hotpatch_slot *slot;
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++) {
		if (patch->bindings[i].slot)
			continue;
		status = find_bound(patch, i, module, &slot, err);
		if (status != HOTPATCH_OK)
			return status;
		if (!slot)
			continue;
		/* Relaxed: the new body runs after its target was stored
		 * with release. */
		hp_store_relaxed(hp_patch_record(patch, i)->original,
				 slot->original);
		hp_slot_link(slot, &patch->bindings[i]);
		patch->anywhere |= !module->start;
	}
	return HOTPATCH_OK;
}

void hp_patch_unbind(struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++)
		hp_slot_unlink(&patch->bindings[i]);
}

unsigned int hp_patch_bound(const struct hotpatch_patch *patch)
{
	unsigned int bound = 0;
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++)
		bound += patch->bindings[i].slot != NULL;
	return bound;
}

enum hotpatch_status hotpatch_patch_find(const char *name,
					 struct hotpatch_patch **result)
{
	struct hotpatch_patch *found = NULL;
	struct hotpatch_patch *patch;

	if (!name || !result)
		return HOTPATCH_E_ARGUMENT;
	hp_engine_lock();
	for (patch = hp_patches; patch; patch = patch->next)
		if (strcmp(patch->manifest.name, name) == 0 &&
		    (!found || hp_patch_is_under_way(patch) ||
		     !hp_patch_is_under_way(found)))
			found = patch;
	if (found)
		found->references++;
	hp_engine_unlock();
	*result = found;
	return found ? HOTPATCH_OK : HOTPATCH_E_NO_PATCH;
}

static void fill_info(const struct hotpatch_patch *patch,
		      struct hotpatch_patch_info *info)
{
	memset(info, 0, sizeof(*info));
	info->state = patch->state;
	hp_text_copy(info->name, sizeof(info->name), patch->manifest.name);
	info->sequence = patch->manifest.sequence;
	hp_text_copy(info->build_id, sizeof(info->build_id),
		     patch->manifest.build_id);
	hp_text_copy(info->path, sizeof(info->path), patch->image.path);
	if (patch->voucher.given)
		hp_key_id(patch->voucher.number, info->key_id);
	info->functions = (unsigned int)patch->manifest.replace_count;
	info->bound = hp_patch_bound(patch);
	if (patch->state != HOTPATCH_CLOSED)
		info->mapped_bytes = patch->image.stop - patch->image.start;
	info->generation = patch->generation;
	info->status = patch->status;
	hp_text_copy(info->reason, sizeof(info->reason), patch->reason);
	if (patch->state == HOTPATCH_ACTIVE)
		hp_blocker_still_runs(patch, info->still_runs,
				      sizeof(info->still_runs));
	hp_text_copy(info->callback, sizeof(info->callback),
		     hp_callback_running(patch));
	info->open_us = patch->opened_us;
	info->drain_us = patch->drained_us;
	info->unmap_us = patch->unmapped_us;
	info->probation_ms = hp_trial_left_ms(patch);
	if (patch->leads && hp_canary_is_open())
		hp_canary_info(info);
}

void hotpatch_patch_info(const struct hotpatch_patch *patch,
			 struct hotpatch_patch_info *info)
{
	hp_engine_lock();
	fill_info(patch, info);
	hp_engine_unlock();
}

static bool is_on(const struct hotpatch_patch *patch)
{
	return patch->state == HOTPATCH_ACTIVE ||
	       patch->state == HOTPATCH_APPLYING ||
	       patch->state == HOTPATCH_REVERTING;
}

/* The patch on with the smallest order above @after, or NULL. */
static const struct hotpatch_patch *next_on(uint64_t after)
{
	const struct hotpatch_patch *best = NULL;
	const struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (is_on(patch) && patch->order > after &&
		    (!best || patch->order < best->order))
			best = patch;
	return best;
}

size_t hotpatch_patch_list(struct hotpatch_patch_info *infos, size_t size)
{
	const struct hotpatch_patch *patch;
	size_t count = 0;

	hp_engine_lock();
	for (patch = next_on(0); patch; patch = next_on(patch->order)) {
		if (count < size)
			fill_info(patch, &infos[count]);
		count++;
	}
	for (patch = hp_patches; patch; patch = patch->next) {
		if (is_on(patch))
			continue;
		if (count < size)
			fill_info(patch, &infos[count]);
		count++;
	}
	hp_engine_unlock();
	return count;
}

void hp_patch_describe(void)
{
	hp_describe_variable("patches", hp_patches);
	hp_describe_variable("states", state_names);
	hp_describe("states.count", STATES);
	hp_describe_member("patch.next", struct hotpatch_patch, next);
	hp_describe_member("patch.state", struct hotpatch_patch, state);
	hp_describe_member("patch.name", struct hotpatch_patch, manifest.name);
	hp_describe_member("patch.sequence", struct hotpatch_patch,
			   manifest.sequence);
	hp_describe_member("patch.replacements", struct hotpatch_patch,
			   manifest.replace_count);
	hp_describe_member("patch.start", struct hotpatch_patch, image.start);
	hp_describe_member("patch.stop", struct hotpatch_patch, image.stop);
	hp_describe_member("patch.path", struct hotpatch_patch, image.path);
	hp_describe_member("patch.reason", struct hotpatch_patch, reason);
	hp_describe_member("patch.bindings", struct hotpatch_patch, bindings);
	hp_describe("binding.size", sizeof(struct hp_binding));
	hp_describe_member("binding.patch", struct hp_binding, patch);
	hp_describe_member("binding.slot", struct hp_binding, slot);
	hp_describe_member("binding.below", struct hp_binding, below);
	hp_describe_member("binding.function", struct hp_binding, function);
}
