/* SPDX-License-Identifier: MIT */
/*
 * Runs one callback without the lock. The scope is marked as busy meanwhile,
 * which keeps the change that its patch takes part in open, and so its code
 * mapped. A module whose callback runs is pinned by a handle of its own, so
 * that unloading it need not wait.
 */
#include "callback.h"

#include "engine.h"
#include "event.h"
#include "late.h"
#include "patch.h"
#include "state.h"
#include "status.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Initial-exec: it is also read by code that the loader is just running. */
static __thread unsigned int callbacks_here
	__attribute__((tls_model("initial-exec")));

static const enum hotpatch_phase phases[] = {
	[HOTPATCH_CALLBACK_PREPARE] = HOTPATCH_PHASE_PREPARED,
	[HOTPATCH_CALLBACK_COMMIT] = HOTPATCH_PHASE_COMMITTED,
	[HOTPATCH_CALLBACK_BEFORE_REVERT] = HOTPATCH_PHASE_LEAVING,
	[HOTPATCH_CALLBACK_AFTER_REVERT] = HOTPATCH_PHASE_LEFT,
	[HOTPATCH_CALLBACK_MIGRATE] = HOTPATCH_PHASE_MIGRATED,
	[HOTPATCH_CALLBACK_CLEAN_UP] = HOTPATCH_PHASE_CLEANED,
};

bool hp_callback_runs_here(void)
{
	return callbacks_here != 0;
}

static struct hp_scope *find_scope(const struct hotpatch_patch *patch,
				   const char *module)
{
	size_t i;

	for (i = 0; i < patch->scope_count; i++)
		if (strcmp(patch->scopes[i].module, module) == 0)
			return &patch->scopes[i];
	return NULL;
}

/* Room for the states of each scope, in one block with the scopes. */
static bool allocate(struct hotpatch_patch *patch)
{
	size_t most = patch->manifest.callback_count + 1;
	size_t states = patch->manifest.state_count * 2;
	struct hotpatch_context_state *room;
	size_t i;

	patch->scopes =
		calloc(most, sizeof(*patch->scopes) + states * sizeof(*room));
	if (!patch->scopes)
		return false;
	room = (struct hotpatch_context_state *)&patch->scopes[most];
	for (i = 0; i < most; i++)
		patch->scopes[i].states = room + i * states;
	patch->scopes[0].module = "";
	patch->scope_count = 1;
	return true;
}

void (*hp_callback_function(const struct hotpatch_patch *patch,
			    enum hotpatch_callback_kind kind,
			    const char *object))(struct hotpatch_context *)
{
	const struct hotpatch_bundle *bundle = patch->image.bundle;
	const struct hotpatch_callback *record = bundle->callbacks;

	for (; record < bundle->callbacks_stop; record++)
		if (record->kind == kind && strcmp(record->object, object) == 0)
			return record->function;
	return NULL;
}

enum hotpatch_status hp_callback_create(struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	const struct hp_manifest *manifest = &patch->manifest;
	const struct hp_callback *callback;
	struct hp_scope *scope;
	size_t i;

	if (!patch->manifest.callback_count && !patch->manifest.state_count)
		return HOTPATCH_OK;
	if (!hp_late_start() || !allocate(patch))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0,
				patch->manifest.name,
				"no memory for the callbacks of %s",
				patch->manifest.name);
	for (i = 0; i < manifest->callback_count; i++) {
		callback = &manifest->callbacks[i];
		if (callback->kind == HOTPATCH_CALLBACK_CLEAN_UP)
			continue;
		scope = find_scope(patch, callback->object);
		if (!scope) {
			scope = &patch->scopes[patch->scope_count++];
			scope->module = callback->object;
		}
		scope->functions[callback->kind] = hp_callback_function(
			patch, callback->kind, callback->object);
	}
	return hp_state_create(patch, err);
}

void hp_callback_destroy(struct hotpatch_patch *patch)
{
	hp_state_destroy(patch);
	free(patch->scopes);
}

struct hp_scope *hp_callback_scope_of(const struct hotpatch_patch *patch,
				      const struct hp_module *module)
{
	size_t i;

	for (i = 1; i < patch->scope_count; i++)
		if (hp_patch_is_target(patch, patch->scopes[i].module, module))
			return &patch->scopes[i];
	return NULL;
}

void hp_callback_find_modules(struct hotpatch_patch *patch)
{
	const struct hp_module *module;
	struct hp_scope *scope;

	for (module = hp_modules; module; module = module->next) {
		scope = hp_callback_scope_of(patch, module);
		if (scope && (!scope->loaded || module->start))
			scope->loaded = module;
	}
}

void hp_callback_module_came(const struct hp_module *module)
{
	const struct hotpatch_patch *patch;
	struct hp_scope *scope;

	for (patch = hp_patches; patch; patch = patch->next) {
		scope = hp_callback_scope_of(patch, module);
		if (scope && !scope->loaded)
			scope->loaded = module;
	}
}

void hp_callback_module_went(const struct hp_module *module)
{
	const struct hotpatch_patch *patch;
	struct hp_scope *scope;

	for (patch = hp_patches; patch; patch = patch->next) {
		scope = hp_callback_scope_of(patch, module);
		if (scope && scope->loaded == module)
			scope->loaded = NULL;
	}
}

const char *hp_callback_running(const struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < patch->scope_count; i++)
		if (patch->scopes[i].busy)
			return hp_callback_name(patch->scopes[i].kind);
	return "";
}

const char *hp_callback_anywhere(char name[HOTPATCH_NAME_SIZE])
{
	const struct hotpatch_patch *patch;
	const char *kind = "";

	hp_engine_lock();
	for (patch = hp_patches; patch && !*kind; patch = patch->next) {
		kind = hp_callback_running(patch);
		if (*kind)
			hp_text_copy(name, HOTPATCH_NAME_SIZE,
				     patch->manifest.name);
	}
	hp_engine_unlock();
	return kind;
}

void (*hp_callback_of(const struct hp_due *due))(struct hotpatch_context *)
{
	return due->kind == HOTPATCH_CALLBACK_CLEAN_UP ?
		       due->patch->claims[due->state].clean_up :
		       due->scope->functions[due->kind];
}

static const char *object_of(const struct hp_due *due)
{
	return due->kind == HOTPATCH_CALLBACK_CLEAN_UP ?
		       due->patch->manifest.states[due->state].id :
		       due->scope->module;
}

void hp_callback_mark(const struct hp_due *due)
{
	struct hp_scope *scope = due->scope;

	switch (due->kind) {
	case HOTPATCH_CALLBACK_PREPARE:
		scope->prepared = true;
		if (scope == due->patch->scopes)
			hp_state_claim(due->patch);
		break;
	case HOTPATCH_CALLBACK_COMMIT:
		scope->committed = true;
		break;
	case HOTPATCH_CALLBACK_BEFORE_REVERT:
		scope->committed = false;
		break;
	case HOTPATCH_CALLBACK_AFTER_REVERT:
		scope->prepared = false;
		break;
	case HOTPATCH_CALLBACK_CLEAN_UP:
		hp_state_give_up(due->patch, due->state);
		break;
	case HOTPATCH_CALLBACK_MIGRATE:
		break;
	}
}

static enum hotpatch_status refused(const struct hp_due *due,
				    const struct hotpatch_context *context,
				    struct hotpatch_error *err)
{
	const char *name = due->patch->manifest.name;
	const char *module = due->scope->module;

	return hp_error(err, HOTPATCH_E_PREPARE, 0, *module ? module : name,
			"prepare of %s%s%s refused: %s", name,
			*module ? " for " : "", module, context->reason);
}

enum hotpatch_status hp_callback_run(const struct hp_due *due,
				     struct hotpatch_error *err)
{
	struct hp_scope *scope = due->scope;
	struct hotpatch_context context = {
		.size = sizeof(context),
		.patch = due->patch->manifest.name,
		.module = scope->module,
		.reverting = due->patch->changing ? !due->patch->wanted :
						    scope->going,
		.states = scope->states,
		.state_count = due->patch->manifest.state_count,
	};
	void (*function)(struct hotpatch_context *) = hp_callback_of(due);
	int cancel_state;

	if (function) {
		scope->busy = true;
		scope->kind = due->kind;
		scope->runner = pthread_self();
		hp_state_fill(due->patch, scope->states);
		hp_engine_unlock();
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
		callbacks_here++;
		function(&context);
		callbacks_here--;
		pthread_setcancelstate(cancel_state, NULL);
		hp_engine_lock();
		hp_state_take(due->patch, scope->states);
		scope->busy = false;
		hp_progress_made();
		if (due->kind == HOTPATCH_CALLBACK_PREPARE && context.refused)
			return refused(due, &context, err);
		hp_event(phases[due->kind], HOTPATCH_OK,
			 due->patch->manifest.name, object_of(due));
	}
	hp_callback_mark(due);
	return HOTPATCH_OK;
}

static void *pin(const void *address)
{
	Dl_info facts;
	void *handle = NULL;

	hp_loader_enter();
	if (dladdr(address, &facts))
		handle = dlopen(facts.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	hp_loader_leave();
	return handle;
}

static void unpin(void *handle)
{
	if (!handle)
		return;
	hp_loader_enter();
	dlclose(handle);
	hp_loader_leave();
}

/*
 * The same for a module that another thread may unload. Pinning it waits for
 * the loader, so it is asked afterwards whether the module is still there; one
 * that is there and cannot be pinned, as in a namespace of its own, is used as
 * it is.
 */
enum hotpatch_status hp_callback_run_pinned(const struct hp_due *due,
					    struct hotpatch_error *err)
{
	const struct hp_module *module = due->scope->loaded;
	enum hotpatch_status status = HOTPATCH_OK;
	const void *address;
	void *handle;

	if (!module || module->facts.program || !hp_callback_of(due))
		return hp_callback_run(due, err);
	address = (const void *)module->facts.start;
	hp_engine_unlock();
	handle = pin(address);
	hp_engine_lock();
	if (due->scope->loaded == module && !due->scope->going)
		status = hp_callback_run(due, err);
	hp_engine_unlock();
	unpin(handle);
	hp_engine_lock();
	return status;
}

bool hp_callback_is_owed(const struct hp_scope *scope,
			 enum hotpatch_callback_kind kind)
{
	switch (kind) {
	case HOTPATCH_CALLBACK_PREPARE:
		return !scope->prepared && !scope->refused;
	case HOTPATCH_CALLBACK_COMMIT:
		return scope->prepared && !scope->committed;
	case HOTPATCH_CALLBACK_BEFORE_REVERT:
		return scope->committed;
	default:
		return scope->prepared;
	}
}

bool hp_callback_is_way_in(enum hotpatch_callback_kind kind)
{
	return kind == HOTPATCH_CALLBACK_PREPARE ||
	       kind == HOTPATCH_CALLBACK_COMMIT;
}

/*
 * A callback that another thread was in has stopped half way. Only a prepare
 * counts as not run; the others would do twice what they may have done.
 */
void hp_callback_cut_off(struct hotpatch_patch *patch, struct hp_scope *scope)
{
	struct hp_due due = {
		.patch = patch, .scope = scope, .kind = scope->kind};

	if (!scope->busy || pthread_equal(scope->runner, pthread_self()))
		return;
	scope->busy = false;
	if (scope->kind == HOTPATCH_CALLBACK_CLEAN_UP)
		while (hp_state_next_claim(patch, &due.state))
			hp_state_give_up(patch, due.state);
	else if (scope->kind != HOTPATCH_CALLBACK_PREPARE)
		hp_callback_mark(&due);
}
