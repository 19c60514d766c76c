/* SPDX-License-Identifier: MIT */
/*
 * A thread that loads or unloads a module runs the callbacks for it itself,
 * inside the dynamic loader, and waits for nobody: who runs other callbacks
 * may be waiting for the loader. Scopes keep the two apart: while one is busy
 * or going nobody else touches it.
 */
#include "late.h"

#include "callback.h"
#include "engine.h"
#include "event.h"
#include "patch.h"
#include "stage.h"

#include <pthread.h>
#include <stdlib.h>

/* The process is ending; what modules do then is nobody's change. */
static bool process_ends;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool will_tell;

static void tell_end(void)
{
	hp_engine_lock();
	process_ends = true;
	hp_engine_unlock();
}

/* Runs before the modules' destructors, because main() began before. */
static void listen_for_end(void)
{
	will_tell = atexit(tell_end) == 0;
}

bool hp_late_start(void)
{
	pthread_once(&once, listen_for_end);
	return will_tell;
}

/* Do tasks see the patch, or will a module that comes now? */
static bool is_on(const struct hotpatch_patch *patch)
{
	return (patch->state == HOTPATCH_APPLYING ||
		patch->state == HOTPATCH_ACTIVE ||
		patch->state == HOTPATCH_REVERTING) &&
	       (patch->moving || patch->on[HP_NEW_SIDE]);
}

/* Its own prepare has run, and it will be bound in what is loaded then. */
static bool is_coming(const struct hotpatch_patch *patch)
{
	return patch->changing && patch->wanted &&
	       hp_stage_now() == HP_STAGE_OPENING && patch->scopes[0].prepared;
}

/* Of a patch that is changing, whoever changes it runs commit. */
static bool may_run(const struct hotpatch_patch *patch,
		    enum hotpatch_callback_kind kind)
{
	switch (kind) {
	case HOTPATCH_CALLBACK_PREPARE:
		return is_on(patch) || is_coming(patch);
	case HOTPATCH_CALLBACK_COMMIT:
		return patch->state == HOTPATCH_ACTIVE && !patch->changing;
	default:
		return true;
	}
}

/* The oldest patch that owes @module @kind, or the newest on the way out. */
static bool find_for(const struct hp_module *module,
		     enum hotpatch_callback_kind kind, struct hp_due *due)
{
	struct hotpatch_patch *patch;
	struct hp_scope *scope;

	due->kind = kind;
	due->patch = NULL;
	for (patch = hp_patches; patch && !process_ends; patch = patch->next) {
		scope = hp_callback_scope_of(patch, module);
		if (!scope || scope->busy ||
		    !hp_callback_is_owed(scope, kind) || !may_run(patch, kind))
			continue;
		if (due->patch && (patch->order < due->patch->order) !=
					  hp_callback_is_way_in(kind))
			continue;
		due->patch = patch;
		due->scope = scope;
	}
	return due->patch != NULL;
}

void hp_late_comes(const struct hp_module *module)
{
	struct hotpatch_error err;
	struct hp_due due;

	while (find_for(module, HOTPATCH_CALLBACK_PREPARE, &due)) {
		due.scope->loaded = module;
		if (hp_callback_run(&due, &err) == HOTPATCH_OK)
			continue;
		due.scope->refused = true;
		hp_event(HOTPATCH_PHASE_REFUSED, err.status,
			 due.patch->manifest.name, err.object);
	}
}

void hp_late_came(const struct hp_module *module)
{
	const struct hotpatch_patch *patch;
	struct hp_scope *scope;

	for (patch = hp_patches; patch; patch = patch->next) {
		scope = hp_callback_scope_of(patch, module);
		if (scope)
			scope->loaded = module;
	}
}

void hp_late_bound(const struct hp_module *module)
{
	struct hp_due due;

	while (find_for(module, HOTPATCH_CALLBACK_COMMIT, &due))
		hp_callback_run(&due, NULL);
}

bool hp_late_has_refused(const struct hotpatch_patch *patch,
			 const struct hp_module *module)
{
	const struct hp_scope *scope = hp_callback_scope_of(patch, module);

	return scope && scope->refused;
}

void hp_late_goes(const struct hp_module *module)
{
	struct hotpatch_patch *patch;
	struct hp_scope *scope;
	struct hp_due due;

	for (patch = hp_patches; patch; patch = patch->next) {
		scope = hp_callback_scope_of(patch, module);
		if (scope)
			scope->going = true;
	}
	while (find_for(module, HOTPATCH_CALLBACK_BEFORE_REVERT, &due))
		hp_callback_run(&due, NULL);
}

void hp_late_gone(const struct hp_module *module)
{
	struct hotpatch_patch *patch;
	struct hp_scope *scope;
	struct hp_due due;

	while (find_for(module, HOTPATCH_CALLBACK_AFTER_REVERT, &due))
		hp_callback_run(&due, NULL);
	for (patch = hp_patches; patch; patch = patch->next) {
		scope = hp_callback_scope_of(patch, module);
		if (!scope)
			continue;
		scope->loaded = NULL;
		scope->going = false;
		scope->refused = false;
		scope->prepared = false;
		scope->committed = false;
	}
}
