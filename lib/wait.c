/* SPDX-License-Identifier: MIT */
/*
 * Waiting until a patch gets somewhere, and saying what is in the way. Who
 * waits moves things on.
 */
#include "engine.h"
#include "event.h"
#include "patch.h"
#include "status.h"

#define FIRST_PAUSE_NS 50000u
#define LONGEST_PAUSE_NS 5000000u

/* One that failed is waited for until it was taken back. */
static enum hotpatch_status look_at_health(const struct hotpatch_patch *patch,
					   struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;

	if (patch->state == HOTPATCH_ACTIVE)
		return hp_trial_is_open(patch) || patch->trial.failed ?
			       HOTPATCH_E_BUSY :
			       HOTPATCH_OK;
	if (patch->trial.failed)
		return hp_error(err, HOTPATCH_E_UNHEALTHY, 0, name,
				"%s was taken back: %s", name,
				patch->trial.reason);
	return hp_error(err, HOTPATCH_E_STATE, 0, name,
			"%s is %s, so it is not on probation", name,
			hotpatch_state_name(patch->state));
}

static enum hotpatch_status look(const struct hotpatch_patch *patch,
				 enum hotpatch_goal goal,
				 struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;

	if (patch->changing)
		return HOTPATCH_E_BUSY;
	if (goal == HOTPATCH_HEALTHY && !patch->reversed)
		return look_at_health(patch, err);
	if (patch->reversed && goal != HOTPATCH_UNMAPPED)
		return hp_error(err, HOTPATCH_E_STALLED, 0, name, "%s: %s",
				name, patch->reason);
	if (goal == HOTPATCH_DRAINED)
		return HOTPATCH_OK;
	switch (patch->state) {
	case HOTPATCH_CLOSED:
		return HOTPATCH_OK;
	case HOTPATCH_REVERTED:
		return HOTPATCH_E_BUSY;
	case HOTPATCH_RETAINED:
		return hp_error(err, HOTPATCH_E_RETAINED, 0, name,
				"%s stays mapped: %s", name, patch->reason);
	default:
		return hp_error(err, HOTPATCH_E_STATE, 0, name,
				"%s is %s, so it will not be unmapped", name,
				hotpatch_state_name(patch->state));
	}
}

enum hotpatch_status hp_patch_look(const struct hotpatch_patch *patch,
				   enum hotpatch_goal goal,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status;

	hp_engine_lock();
	status = look(patch, goal, err);
	hp_engine_unlock();
	return status;
}

enum hotpatch_status hp_patch_time_is_up(const struct hotpatch_patch *patch,
					 struct hotpatch_error *err)
{
	struct hotpatch_blocker blocker;
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	if (info.callback[0])
		return hp_error(err, HOTPATCH_E_TIMEOUT, 0, info.name,
				"%s is %s: its %s has not returned", info.name,
				hotpatch_state_name(info.state), info.callback);
	if (info.canary)
		return hp_error(err, HOTPATCH_E_TIMEOUT, 0, info.name,
				"%s is %s: its canary is open, at %u.%02u %%",
				info.name, hotpatch_state_name(info.state),
				info.canary_share / 100,
				info.canary_share % 100);
	if (hotpatch_blocker_list(&blocker, 1) > 0)
		return hp_error(err, HOTPATCH_E_TIMEOUT, 0, info.name,
				"%s is %s: thread %s (%d) is in the way%s%s",
				info.name, hotpatch_state_name(info.state),
				blocker.name, blocker.thread,
				blocker.function[0] ? ", in " : "",
				blocker.function);
	if (info.probation_ms)
		return hp_error(err, HOTPATCH_E_TIMEOUT, 0, info.name,
				"%s is on probation for another %.1f s",
				info.name, (double)info.probation_ms / 1000);
	return hp_error(err, HOTPATCH_E_TIMEOUT, 0, info.name,
			"%s is still %s%s%s", info.name,
			hotpatch_state_name(info.state),
			info.reason[0] ? ": " : "", info.reason);
}

static enum hotpatch_status wait_until(struct hotpatch_patch *patch,
				       enum hotpatch_goal goal,
				       uint64_t until_ns,
				       struct hotpatch_error *err)
{
	uint64_t pause_ns = FIRST_PAUSE_NS;
	enum hotpatch_status status;
	uint64_t now_ns;
	uint32_t seen;

	for (;;) {
		seen = hp_progress_now();
		hp_engine_poll();
		status = hp_patch_look(patch, goal, err);
		if (status != HOTPATCH_E_BUSY)
			return status;
		now_ns = hp_now_ns();
		if (now_ns >= until_ns)
			return hp_patch_time_is_up(patch, err);
		if (pause_ns > until_ns - now_ns)
			pause_ns = until_ns - now_ns;
		hp_progress_wait(seen, pause_ns);
		pause_ns = pause_ns * 2 < LONGEST_PAUSE_NS ? pause_ns * 2 :
							     LONGEST_PAUSE_NS;
	}
}

enum hotpatch_status hotpatch_patch_wait(struct hotpatch_patch *patch,
					 enum hotpatch_goal goal,
					 int timeout_ms,
					 struct hotpatch_error *err)
{
	uint64_t until_ns = UINT64_MAX;
	enum hotpatch_status status;
	int cancel_state;

	if (!patch || goal > HOTPATCH_HEALTHY)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "patch",
				"a patch and one of the goals are wanted");
	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	if (timeout_ms >= 0)
		until_ns = hp_now_ns() + (uint64_t)timeout_ms * 1000000u;
	status = wait_until(patch, goal, until_ns, err);
	hp_engine_leave(cancel_state);
	return status;
}
