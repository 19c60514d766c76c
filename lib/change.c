/* SPDX-License-Identifier: MIT */
/*
 * Apply, revert and close: which patches move together, and in whose turn.
 */
#include "canary.h"
#include "contain.h"
#include "engine.h"
#include "event.h"
#include "late.h"
#include "patch.h"
#include "rendezvous.h"
#include "stage.h"
#include "status.h"
#include "transition.h"
#include "unload.h"

#include <string.h>

#define LONGEST_PAUSE_NS 5000000u

static uint64_t last_order;

static enum hotpatch_status bind_all(struct hotpatch_patch *patch,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_patch_check_fit(&patch->manifest, err);
	const struct hp_module *module;

	for (module = hp_modules; module && !status; module = module->next)
		if (!hp_late_has_refused(patch, module))
			status = hp_patch_bind(patch, module, err);
	if (status == HOTPATCH_OK)
		status = hp_imports_bind(patch, err);
	return status;
}

/* Does an active patch that stays exclude @patch, or one that it wants miss? */
static enum hotpatch_status check_named(const struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	const struct hp_manifest *mine = &patch->manifest;
	const struct hotpatch_patch *other;
	size_t i;

	for (i = 0; i < mine->require_count; i++)
		if (!hp_patch_active(mine->requires[i]))
			return hp_error(err, HOTPATCH_E_REQUIRES, 0,
					mine->requires[i],
					"%s requires %s, which is not active",
					mine->name, mine->requires[i]);
	for (i = 0; i < mine->conflict_count; i++) {
		other = hp_patch_active(mine->conflicts[i]);
		if (other && !hp_patch_supersedes(patch, other))
			return hp_error(err, HOTPATCH_E_CONFLICT, 0,
					mine->conflicts[i],
					"%s conflicts with %s, which is active",
					mine->name, mine->conflicts[i]);
	}
	for (other = hp_patches; other; other = other->next)
		for (i = 0; other->state == HOTPATCH_ACTIVE &&
			    i < other->manifest.conflict_count;
		     i++)
			if (strcmp(other->manifest.conflicts[i], mine->name) ==
				    0 &&
			    !hp_patch_supersedes(patch, other))
				return hp_error(err, HOTPATCH_E_CONFLICT, 0,
						other->manifest.name,
						"%s, which is active, "
						"conflicts with %s",
						other->manifest.name,
						mine->name);
	return HOTPATCH_OK;
}

/* Who is active, stays although @successor comes (or NULL), and requires
 * @name? */
static const struct hotpatch_patch *
find_dependent(const char *name, const struct hotpatch_patch *successor)
{
	const struct hotpatch_patch *patch;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next)
		for (i = 0; patch->state == HOTPATCH_ACTIVE &&
			    i < patch->manifest.require_count;
		     i++)
			if (strcmp(patch->manifest.requires[i], name) == 0 &&
			    !(successor &&
			      hp_patch_supersedes(successor, patch)))
				return patch;
	return NULL;
}

/* Would @patch take something out that another one still requires? */
static enum hotpatch_status check_superseded(const struct hotpatch_patch *patch,
					     struct hotpatch_error *err)
{
	const struct hotpatch_patch *dependent;
	const struct hotpatch_patch *other;

	for (other = hp_patches; other; other = other->next) {
		if (other->state != HOTPATCH_ACTIVE ||
		    !hp_patch_supersedes(patch, other))
			continue;
		dependent = find_dependent(other->manifest.name, patch);
		if (dependent)
			return hp_error(err, HOTPATCH_E_REQUIRES, 0,
					dependent->manifest.name,
					"%s, which is active, requires %s, "
					"which %s replaces",
					dependent->manifest.name,
					other->manifest.name,
					patch->manifest.name);
	}
	return HOTPATCH_OK;
}

enum hotpatch_status hp_patch_check_others(const struct hotpatch_patch *patch,
					   struct hotpatch_error *err)
{
	enum hotpatch_status status = check_named(patch, err);

	if (status == HOTPATCH_OK)
		status = check_superseded(patch, err);
	if (status == HOTPATCH_OK)
		status = hp_state_check(patch, err);
	if (status == HOTPATCH_OK)
		status = hp_imports_check(patch, err);
	return status;
}

static void mark_superseded(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch *other;

	for (other = hp_patches; other; other = other->next) {
		if (other->state != HOTPATCH_ACTIVE ||
		    !hp_patch_supersedes(patch, other))
			continue;
		other->changing = true;
		other->wanted = false;
	}
}

/* @patch leads a change that is open from now on; others may follow it. */
static void open_change(struct hotpatch_patch *patch, bool wanted)
{
	patch->changing = true;
	patch->leads = true;
	patch->wanted = wanted;
	if (wanted)
		mark_superseded(patch);
	hp_stage_open();
}

static void mark_moving(void)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->changing)
			continue;
		patch->moving = true;
		patch->on[HP_NEW_SIDE] = patch->wanted;
	}
}

static void undo_moving(void)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!patch->changing)
			continue;
		patch->moving = false;
		patch->on[HP_NEW_SIDE] = patch->on[HP_OLD_SIDE];
	}
}

static const struct hotpatch_canary *
canary_of(const struct hotpatch_apply_options *options)
{
	return options ? options->canary : NULL;
}

/* What has to hold before the first callback. */
static enum hotpatch_status check_apply(const struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_patch_check_others(patch, err);

	if (status == HOTPATCH_OK)
		status = hp_patch_check_fit(&patch->manifest, err);
	return status;
}

static bool wants_rendezvous(void)
{
	const struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->changing &&
		    patch->manifest.consistency == HOTPATCH_RENDEZVOUS)
			return true;
	return false;
}

/* Binds the leading patch, if it comes, and lets the tasks move. On failure
 * everything is as it was. */
static enum hotpatch_status move(struct hotpatch_patch *patch,
				 const struct hotpatch_apply_options *options,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;

	if (patch->wanted) {
		patch->order = last_order + 1;
		status = bind_all(patch, err);
	}
	if (status == HOTPATCH_OK) {
		mark_moving();
		hp_contain_refresh();
		status = wants_rendezvous() ? hp_transition_switch(err) :
					      hp_transition_begin(options, err);
	}
	if (status == HOTPATCH_OK) {
		last_order += patch->wanted;
		return status;
	}
	undo_moving();
	if (patch->wanted)
		hp_patch_unbind(patch);
	hp_contain_refresh();
	return status;
}

static enum hotpatch_status refuse_busy(const struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;

	return hp_error(err, HOTPATCH_E_BUSY, 0, name,
			"another transition is running; %s has to wait", name);
}

/* Only who leads the transition may be turned round; a patch that moves
 * because another one replaces it has to wait for that one. */
static enum hotpatch_status turn(const struct hotpatch_patch *patch,
				 const struct hotpatch_apply_options *options,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;

	if (!patch->leads || !hp_transition_is_open())
		return refuse_busy(patch, err);
	if (canary_of(options))
		status = hp_canary_fits(patch, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_transition_turn();
	hp_transition_set_options(options);
	hp_transition_progress();
	return HOTPATCH_OK;
}

static enum hotpatch_status
apply_locked(struct hotpatch_patch *patch,
	     const struct hotpatch_apply_options *options,
	     struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;
	const char *state = hotpatch_state_name(patch->state);
	enum hotpatch_status status;

	switch (patch->state) {
	case HOTPATCH_APPLYING:
	case HOTPATCH_ACTIVE:
		return hp_error(err, HOTPATCH_E_ALREADY, 0, name,
				"%s is %s already", name, state);
	case HOTPATCH_REVERTING:
		status = turn(patch, options, err);
		if (status == HOTPATCH_OK)
			hp_trial_plan(patch, options);
		return status;
	case HOTPATCH_LOADED:
		break;
	default:
		return hp_error(err, HOTPATCH_E_STATE, 0, name,
				"%s is %s and cannot be applied any more; open "
				"its bundle again",
				name, state);
	}
	if (hp_stage_now() != HP_STAGE_NONE)
		return refuse_busy(patch, err);
	status = check_apply(patch, err);
	if (status == HOTPATCH_OK && canary_of(options))
		status = hp_canary_fits(patch, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_trial_plan(patch, options);
	open_change(patch, true);
	return HOTPATCH_OK;
}

static enum hotpatch_status revert_active(struct hotpatch_patch *patch,
					  struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;
	const struct hotpatch_patch *dependent = find_dependent(name, NULL);

	if (dependent)
		return hp_error(err, HOTPATCH_E_REQUIRES, 0,
				dependent->manifest.name,
				"%s, which is active, requires %s",
				dependent->manifest.name, name);
	if (hp_stage_now() != HP_STAGE_NONE)
		return refuse_busy(patch, err);
	open_change(patch, false);
	return HOTPATCH_OK;
}

static enum hotpatch_status
revert_locked(struct hotpatch_patch *patch,
	      const struct hotpatch_apply_options *options,
	      struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;

	if (canary_of(options))
		return hp_error(err, HOTPATCH_E_CANARY, 0, name,
				"%s would be reverted, which has no canary",
				name);
	switch (patch->state) {
	case HOTPATCH_APPLYING:
		return turn(patch, options, err);
	case HOTPATCH_ACTIVE:
		return revert_active(patch, err);
	case HOTPATCH_LOADED:
	case HOTPATCH_STAGED:
	case HOTPATCH_FAILED:
		return hp_error(err, HOTPATCH_E_STATE, 0, name,
				"%s was never applied", name);
	default:
		return hp_error(err, HOTPATCH_E_ALREADY, 0, name,
				"%s is %s already", name,
				hotpatch_state_name(patch->state));
	}
}

static bool is_for_all(const struct hotpatch_patch *patch)
{
	return patch->state == HOTPATCH_ACTIVE ||
	       patch->state == HOTPATCH_APPLYING;
}

static enum hotpatch_status
change_canary(struct hotpatch_patch *patch,
	      const struct hotpatch_apply_options *options,
	      struct hotpatch_error *err)
{
	const struct hotpatch_canary *canary = options->canary;
	const char *name = patch->manifest.name;
	const char *state = hotpatch_state_name(patch->state);
	bool open = patch->leads && hp_canary_is_open();

	if (open ? hp_canary_is(canary) : !canary && is_for_all(patch))
		return hp_error(err, HOTPATCH_E_ALREADY, 0, name,
				"%s is %s, and shown to just these already",
				name, state);
	if (!open)
		return hp_error(err, HOTPATCH_E_NO_CANARY, 0, name,
				"%s is %s, and no canary of it is open", name,
				state);
	if (canary)
		return hp_canary_change(canary, err);
	hp_transition_to_all();
	hp_transition_progress();
	return HOTPATCH_OK;
}

/* Lets all tasks wait, moves them together, migrates, and lets them go on. */
static enum hotpatch_status meet(struct hotpatch_patch *patch,
				 const struct hotpatch_apply_options *options,
				 struct hotpatch_error *err)
{
	unsigned int ms = options ? options->rendezvous_ms : 0;
	const char *name = patch->manifest.name;
	enum hotpatch_status status;

	status = hp_rendezvous_gather(name, ms ? ms : HP_RENDEZVOUS_MS, err);
	if (status != HOTPATCH_OK) {
		hp_patch_explain(patch, status, "%s", err->sentence);
		hp_event(HOTPATCH_PHASE_PARTED, status, name, err->object);
		return status;
	}
	status = move(patch, options, err);
	if (status == HOTPATCH_OK)
		hp_stage_migrate();
	hp_rendezvous_open();
	if (status == HOTPATCH_OK)
		hp_transition_switched();
	return status;
}

/*
 * The change that this thread has just opened: its first callbacks, without
 * the lock, and then the move. If one of them fails, what was begun is owed
 * its end.
 */
static enum hotpatch_status
carry_out(struct hotpatch_patch *patch,
	  const struct hotpatch_apply_options *options,
	  struct hotpatch_error *err)
{
	enum hotpatch_status status =
		patch->wanted ? hp_trial_mark(patch, err) : HOTPATCH_OK;

	if (status == HOTPATCH_OK && patch->wanted)
		status = hp_redirects_take(patch, err);
	if (status == HOTPATCH_OK)
		status = hp_stage_run_opening(err);
	if (status == HOTPATCH_OK)
		status = wants_rendezvous() ? meet(patch, options, err) :
					      move(patch, options, err);
	if (status != HOTPATCH_OK) {
		hp_trial_call_off(patch);
		hp_stage_settled();
	}
	return status;
}

/* Opens a change, or turns the open one round. */
typedef enum hotpatch_status (*change_function)(
	struct hotpatch_patch *patch,
	const struct hotpatch_apply_options *options,
	struct hotpatch_error *err);

/* Makes the change when the running transition, if any, is over. One that was
 * begun and fails is over, too, when this returns. */
static enum hotpatch_status
change_in_turn(change_function change, struct hotpatch_patch *patch,
	       const struct hotpatch_apply_options *options,
	       struct hotpatch_error *err)
{
	uint64_t turn_ns = options ? (uint64_t)options->turn_ms * 1000000u : 0;
	uint64_t until_ns = hp_now_ns() + turn_ns;
	enum hotpatch_status status;
	uint64_t number;
	uint32_t seen;
	bool begun;

	for (;;) {
		seen = hp_progress_now();
		hp_stage_finish();
		hp_engine_lock();
		hp_transition_progress();
		status = change(patch, options, err);
		begun = status == HOTPATCH_OK &&
			hp_stage_now() == HP_STAGE_OPENING;
		number = hp_stage_number();
		if (begun)
			status = carry_out(patch, options, err);
		hp_engine_unlock();
		if (begun && status != HOTPATCH_OK)
			hp_stage_await(number);
		if (status != HOTPATCH_E_BUSY || hp_now_ns() >= until_ns)
			return status;
		hp_progress_wait(seen, LONGEST_PAUSE_NS);
	}
}

static bool are_apply_options(const struct hotpatch_apply_options *options)
{
	return !options || (options->size == sizeof(*options) &&
			    options->policy <= HOTPATCH_FORCE);
}

static enum hotpatch_status
guarded_change(change_function change, struct hotpatch_patch *patch,
	       const struct hotpatch_apply_options *options,
	       struct hotpatch_error *err)
{
	struct hotpatch_error own;
	struct hotpatch_error *why = err ? err : &own;
	enum hotpatch_status status = HOTPATCH_OK;
	int cancel_state;

	if (!patch || !are_apply_options(options))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "patch",
				"a patch and options of the right size are "
				"wanted");
	if (canary_of(options))
		status = hp_canary_check(options->canary, err);
	if (status == HOTPATCH_OK)
		status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	status = change_in_turn(change, patch, options, why);
	hp_stage_finish();
	hp_trial_sync();
	hp_redirects_poll();
	if (status != HOTPATCH_OK && status != HOTPATCH_E_ALREADY)
		hp_event(HOTPATCH_PHASE_REFUSED, status, patch->manifest.name,
			 why->object);
	hp_engine_leave(cancel_state);
	return status;
}

enum hotpatch_status
hotpatch_patch_apply(struct hotpatch_patch *patch,
		     const struct hotpatch_apply_options *options,
		     struct hotpatch_error *err)
{
	return guarded_change(apply_locked, patch, options, err);
}

enum hotpatch_status
hotpatch_patch_revert(struct hotpatch_patch *patch,
		      const struct hotpatch_apply_options *options,
		      struct hotpatch_error *err)
{
	return guarded_change(revert_locked, patch, options, err);
}

enum hotpatch_status hp_patch_take_back(struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.policy = HOTPATCH_WAIT,
	};
	enum hotpatch_status status =
		change_in_turn(revert_locked, patch, &options, err);

	hp_stage_finish();
	return status;
}

enum hotpatch_status hotpatch_patch_canary(struct hotpatch_patch *patch,
					   const struct hotpatch_canary *canary,
					   struct hotpatch_error *err)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.canary = canary,
	};

	return guarded_change(change_canary, patch, &options, err);
}

static bool is_listed(const struct hotpatch_patch *wanted)
{
	const struct hotpatch_patch *patch = hp_patches;

	while (patch && patch != wanted)
		patch = patch->next;
	return patch != NULL;
}

void hp_patch_release(struct hotpatch_patch *patch)
{
	hp_engine_lock();
	if (is_listed(patch) && patch->references > 0)
		patch->references--;
	hp_engine_unlock();
}

void hotpatch_patch_close(struct hotpatch_patch *patch)
{
	int cancel_state;

	if (!patch)
		return;
	hp_patch_release(patch);
	if (hp_engine_enter(&cancel_state, NULL) != HOTPATCH_OK)
		return;
	hp_unload_ready();
	hp_engine_leave(cancel_state);
}
