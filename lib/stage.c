/* SPDX-License-Identifier: MIT */
/*
 * What is owed follows from three facts: is a scope prepared, is it committed,
 * and is its patch on. So a transition that is turned round, or that could not
 * begin, needs no rule of its own: at its end a scope of a patch that is on
 * and not committed is owed commit, and a scope of one that is off and
 * prepared is owed after_revert.
 *
 * One thread at a time runs the callbacks of a change. Those of a module that
 * comes or goes run beside it (late.c).
 */
#include "stage.h"

#include "callback.h"
#include "contain.h"
#include "engine.h"
#include "event.h"
#include "patch.h"
#include "state.h"

#include <pthread.h>
#include <stdbool.h>

#define LOOK_NS 5000000u /* for one that comes to its end without a word */

static struct {
	uint64_t number; /* of the change that was opened last */
	enum hp_stage stage;
	bool running; /* a thread runs its callbacks, one after the other */
	pthread_t runner;
} change;

/* Leaves alone what a thread that loads or unloads the module looks after. */
static bool is_owed(const struct hp_scope *scope,
		    enum hotpatch_callback_kind kind)
{
	return !scope->busy && !scope->going &&
	       (!*scope->module || scope->loaded) &&
	       hp_callback_is_owed(scope, kind);
}

/* 0 for the patch itself, then the modules in the order of their coming. */
static size_t rank(const struct hp_scope *scope)
{
	const struct hp_module *module = hp_modules;
	size_t place = 1;

	for (; *scope->module && module && module != scope->loaded;
	     module = module->next)
		place++;
	return *scope->module ? place : 0;
}

/* On the way in the first scope that owes @kind, on the way out the last. */
static struct hp_scope *next_scope(const struct hotpatch_patch *patch,
				   enum hotpatch_callback_kind kind)
{
	struct hp_scope *best = NULL;
	size_t i;

	for (i = 0; i < patch->scope_count; i++)
		if (is_owed(&patch->scopes[i], kind) &&
		    (!best || (rank(&patch->scopes[i]) < rank(best)) ==
				      hp_callback_is_way_in(kind)))
			best = &patch->scopes[i];
	return best;
}

static bool find_claim(struct hotpatch_patch *patch, struct hp_due *due)
{
	size_t i;

	for (i = 0; i < patch->scope_count; i++)
		if (patch->scopes[i].prepared || patch->scopes[i].busy)
			return false;
	if (!hp_state_next_claim(patch, &due->state))
		return false;
	due->scope = patch->scopes;
	return true;
}

/* What @patch owes of @kind; a state that others share is only given up. */
static bool find_in(struct hotpatch_patch *patch,
		    enum hotpatch_callback_kind kind, struct hp_due *due)
{
	due->patch = patch;
	due->kind = kind;
	if (kind == HOTPATCH_CALLBACK_CLEAN_UP) {
		while (find_claim(patch, due)) {
			if (hp_state_is_last(patch, due->state))
				return true;
			hp_state_give_up(patch, due->state);
		}
		return false;
	}
	due->scope = next_scope(patch, kind);
	return due->scope != NULL;
}

/*
 * Among the changing patches that go in, or out: on the way in the oldest that
 * owes @kind, on the way out the newest. @opening: by what is wanted, else by
 * what has become of them.
 */
static bool find_due(bool opening, enum hotpatch_callback_kind kind,
		     struct hp_due *due)
{
	struct hotpatch_patch *patch;
	bool found = false;
	struct hp_due other;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->changing ||
		    (opening ? patch->wanted : patch->on[HP_NEW_SIDE]) !=
			    hp_callback_is_way_in(kind) ||
		    !find_in(patch, kind, &other))
			continue;
		if (!found || (patch->order < due->patch->order) ==
				      hp_callback_is_way_in(kind))
			*due = other;
		found = true;
	}
	return found;
}

static bool find_opening(struct hp_due *due)
{
	return find_due(true, HOTPATCH_CALLBACK_PREPARE, due) ||
	       find_due(true, HOTPATCH_CALLBACK_BEFORE_REVERT, due);
}

static bool find_closing(struct hp_due *due)
{
	return find_due(false, HOTPATCH_CALLBACK_AFTER_REVERT, due) ||
	       find_due(false, HOTPATCH_CALLBACK_CLEAN_UP, due) ||
	       find_due(false, HOTPATCH_CALLBACK_COMMIT, due);
}

enum hp_stage hp_stage_now(void)
{
	return change.stage;
}

void hp_stage_open(void)
{
	change.number++;
	change.stage = HP_STAGE_OPENING;
}

void hp_stage_moves(void)
{
	change.stage = HP_STAGE_MOVING;
}

static void begin_running(void)
{
	change.running = true;
	change.runner = pthread_self();
}

enum hotpatch_status hp_stage_run_opening(struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_due due;

	begin_running();
	while (status == HOTPATCH_OK && find_opening(&due))
		status = hp_callback_run_pinned(&due, err);
	change.running = false;
	return status;
}

/* In the order of coming; the migrations back go before those that come. */
void hp_stage_migrate(void)
{
	struct hotpatch_patch *patch;
	struct hp_due due = {.kind = HOTPATCH_CALLBACK_MIGRATE};
	int coming;

	begin_running();
	for (coming = 0; coming < 2; coming++)
		for (patch = hp_patches; patch; patch = patch->next) {
			if (!patch->changing || patch->wanted != !!coming ||
			    !patch->scope_count)
				continue;
			due.patch = patch;
			due.scope = patch->scopes;
			if (hp_callback_of(&due))
				hp_callback_run(&due, NULL);
		}
	change.running = false;
}

static void conclude_one(struct hotpatch_patch *patch)
{
	bool on = patch->on[HP_NEW_SIDE];

	patch->changing = false;
	patch->leads = false;
	if (!on)
		hp_redirects_let_go(patch);
	if (!hp_patch_move(patch, on ? HOTPATCH_ACTIVE : HOTPATCH_REVERTED))
		return;
	hp_event(on ? HOTPATCH_PHASE_ACTIVE : HOTPATCH_PHASE_REVERTED,
		 HOTPATCH_OK, patch->manifest.name, NULL);
	hp_trial_change_is_over(patch);
}

static void conclude(void)
{
	struct hotpatch_patch *patch;

	change.stage = HP_STAGE_NONE;
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->changing)
			conclude_one(patch);
	hp_contain_refresh();
	hp_progress_made();
	hp_engine_wake();
}

/* A thread that loads or unloads a module is in a callback of one that
 * changes. */
static bool someone_is_busy(void)
{
	const struct hotpatch_patch *patch;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next)
		for (i = 0; patch->changing && i < patch->scope_count; i++)
			if (patch->scopes[i].busy ||
			    (patch->scopes[i].going &&
			     patch->scopes[i].prepared))
				return true;
	return false;
}

/* Those that are owed, but that nobody has written, need nobody to run. */
static bool skip_the_unwritten(void)
{
	struct hp_due due;

	while (find_closing(&due)) {
		if (hp_callback_of(&due))
			return false;
		hp_callback_mark(&due);
	}
	return !someone_is_busy();
}

void hp_stage_settled(void)
{
	change.stage = HP_STAGE_CLOSING;
	if (skip_the_unwritten())
		conclude();
	else
		hp_engine_wake();
}

void hp_stage_finish(void)
{
	struct hp_due due;

	hp_engine_lock();
	if (change.stage == HP_STAGE_CLOSING && !change.running) {
		begin_running();
		while (find_closing(&due))
			hp_callback_run_pinned(&due, NULL);
		change.running = false;
		if (!someone_is_busy())
			conclude();
	}
	hp_engine_unlock();
}

uint64_t hp_stage_number(void)
{
	return change.number;
}

void hp_stage_await(uint64_t number)
{
	uint32_t seen;
	bool over;

	do {
		seen = hp_progress_now();
		hp_stage_finish();
		hp_engine_lock();
		over = change.number != number || change.stage == HP_STAGE_NONE;
		hp_engine_unlock();
		if (!over)
			hp_progress_wait(seen, LOOK_NS);
	} while (!over);
}

void hp_stage_fork_child(void)
{
	struct hotpatch_patch *patch;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next)
		for (i = 0; i < patch->scope_count; i++)
			hp_callback_cut_off(patch, &patch->scopes[i]);
	if (change.running && pthread_equal(change.runner, pthread_self()))
		return;
	change.running = false;
	/* Who applied is not here to go on. */
	if (change.stage == HP_STAGE_OPENING)
		hp_stage_settled();
}
