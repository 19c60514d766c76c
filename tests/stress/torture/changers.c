/* SPDX-License-Identifier: MIT */
/*
 * Threads that apply, stack, turn round, revert in any order and unmap, all at
 * once. Each has versions of its own.
 */
#include "torture.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TURN_MS 60000

const struct hotpatch_apply_options patient = {
	.size = sizeof(patient),
	.turn_ms = TURN_MS,
};

struct stacked {
	struct hotpatch_patch *patch;
	int version;
	bool on;
};

struct hotpatch_patch *open_version(int version)
{
	struct hotpatch_patch *patch;
	enum hotpatch_status status;
	struct hotpatch_error err;
	char path[512];

	snprintf(path, sizeof(path), "%s/%c.so", options.bundles,
		 'a' + version - 1);
	for (;;) {
		status = hotpatch_patch_open(path, NULL, &patch, &err);
		if (status != HOTPATCH_E_ALREADY)
			break;
		/* One that refused goes when the proof comes to it. */
		hotpatch_patch_close(patch);
		poll(NULL, 0, 1);
	}
	must(status, &err);
	return patch;
}

void expect_unmapped(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;
	char line[1024];
	FILE *maps;

	hotpatch_patch_info(patch, &info);
	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		fail("the mappings cannot be read", 0, 0);
	while (fgets(line, sizeof(line), maps))
		if (info.path[0] && strstr(line, info.path)) {
			fprintf(stderr, "%s, %s: %s", info.name,
				hotpatch_state_name(info.state), line);
			fail("a patch that was unmapped is still mapped", 0, 0);
		}
	fclose(maps);
}

static void wait_for(struct hotpatch_patch *patch, enum hotpatch_goal goal)
{
	struct hotpatch_error err;
	enum hotpatch_status status;

	/* A thread that was busy for long may have it called retained; it is
	 * tried again. */
	do
		status = hotpatch_patch_wait(patch, goal, -1, &err);
	while (status == HOTPATCH_E_RETAINED && poll(NULL, 0, 10) == 0);
	must(status, &err);
}

void close_unmapped(struct hotpatch_patch *patch, int version)
{
	wait_for(patch, HOTPATCH_UNMAPPED);
	oracle_tell(version, OFF);
	expect_unmapped(patch);
	hotpatch_patch_close(patch);
}

/* With a deadline that reverses it. Gives back whether it is on in the end. */
static bool apply_or_reverse(uint64_t *state, struct stacked *stacked)
{
	const struct hotpatch_apply_options hasty = {
		.size = sizeof(hasty),
		.turn_ms = TURN_MS,
		.deadline_ms = 1 + roll(state, 3),
		.policy = HOTPATCH_REVERSE,
	};
	struct hotpatch_error err;
	enum hotpatch_status status;

	must(hotpatch_patch_apply(stacked->patch, &hasty, &err), &err);
	status =
		hotpatch_patch_wait(stacked->patch, HOTPATCH_DRAINED, -1, &err);
	if (status != HOTPATCH_E_STALLED)
		must(status, &err);
	return status == HOTPATCH_OK;
}

/* With a deadline at which sleepers are moved, and then others again. */
static void change_and_adopt(struct stacked *stacked, bool apply)
{
	const struct hotpatch_apply_options adopting = {
		.size = sizeof(adopting),
		.turn_ms = TURN_MS,
		.deadline_ms = 1,
		.policy = HOTPATCH_WAIT,
		.adopt_sleepers = true,
	};
	struct hotpatch_error err;

	oracle_adopting(true);
	must(apply ? hotpatch_patch_apply(stacked->patch, &adopting, &err) :
		     hotpatch_patch_revert(stacked->patch, &adopting, &err),
	     &err);
	wait_for(stacked->patch, HOTPATCH_DRAINED);
	oracle_adopting(false);
}

/* Applies; sometimes thinks better of it, once or twice. Gives back whether
 * the patch is on in the end. */
static bool apply_and_turn(uint64_t *state, struct stacked *stacked)
{
	uint32_t left = roll(state, 4);
	enum hotpatch_status status;
	struct hotpatch_error err;
	bool on = true;

	must(hotpatch_patch_apply(stacked->patch, &patient, &err), &err);
	while (left-- > 0) {
		linger();
		status = on ? hotpatch_patch_revert(stacked->patch, &patient,
						    &err) :
			      hotpatch_patch_apply(stacked->patch, &patient,
						   &err);
		/* The way back may be through already. */
		if (!on && status == HOTPATCH_E_STATE)
			break;
		must(status, &err);
		on = !on;
	}
	return on;
}

/* Both keys and shares are few, so that each is met often. */
static void choose_whom(uint64_t *state, struct hotpatch_canary *canary)
{
	static const unsigned int shares[] = {0, 1, HOTPATCH_CANARY_WHOLE / 2,
					      HOTPATCH_CANARY_WHOLE - 1,
					      HOTPATCH_CANARY_WHOLE};

	canary->share = shares[roll(state, 5)];
	canary->key_count = roll(state, 3);
}

static bool takes_all(const struct hotpatch_canary *canary)
{
	return canary->share == HOTPATCH_CANARY_WHOLE;
}

static bool takes_nobody(const struct hotpatch_canary *canary)
{
	return canary->share == 0 && canary->key_count == 0;
}

/* What a task that begins a section from now on sees. */
static void tell_of_canary(const struct hotpatch_canary *canary, int version)
{
	oracle_tell(version, takes_nobody(canary) ? STOPPED :
			     takes_all(canary)	  ? WHOLE :
						    SHARED);
}

/* Shows it to some first, raises and lowers that, and lets it come to all or
 * takes it back. Gives back whether it is on in the end. */
static bool try_on_some(uint64_t *state, struct stacked *stacked)
{
	uint64_t keys[2] = {roll(state, TASK_KEYS), roll(state, TASK_KEYS)};
	struct hotpatch_canary canary = {.size = sizeof(canary), .keys = keys};
	struct hotpatch_apply_options trying = patient;
	enum hotpatch_status status;
	struct hotpatch_error err;
	uint32_t left = roll(state, 6);

	trying.canary = &canary;
	choose_whom(state, &canary);
	must(hotpatch_patch_apply(stacked->patch, &trying, &err), &err);
	for (;;) {
		tell_of_canary(&canary, stacked->version);
		linger();
		if (roll(state, 2))
			nap(state, 1000);
		if (left-- == 0)
			break;
		oracle_tell(stacked->version, SHARED);
		choose_whom(state, &canary);
		status = hotpatch_patch_canary(stacked->patch, &canary, &err);
		if (status != HOTPATCH_E_ALREADY)
			must(status, &err);
	}
	oracle_tell(stacked->version, COMING);
	if (roll(state, 2)) {
		must(hotpatch_patch_canary(stacked->patch, NULL, &err), &err);
		return true;
	}
	must(hotpatch_patch_revert(stacked->patch, &patient, &err), &err);
	return false;
}

static bool wants_to_adopt(uint64_t *state)
{
	return roll(state, options.focus[HP_STEP_ADOPT_FOR] ? 1 : 16) == 0;
}

static bool wants_canary(uint64_t *state)
{
	return roll(state, options.focus[HP_STEP_CANARY_RECORD] ? 1 : 4) == 0;
}

static void put_on(uint64_t *state, struct stacked *stacked, int version)
{
	bool is_known = true;

	stacked->version = version;
	stacked->patch = open_version(version);
	oracle_tell(version, COMING);
	switch (wants_to_adopt(state) ? 2 : roll(state, 8)) {
	case 0:
		stacked->on = apply_or_reverse(state, stacked);
		break;
	case 2:
		change_and_adopt(stacked, true);
		stacked->on = true;
		break;
	default:
		stacked->on = wants_canary(state) ?
				      try_on_some(state, stacked) :
				      apply_and_turn(state, stacked);
		is_known = roll(state, 2);
		if (is_known)
			wait_for(stacked->patch, HOTPATCH_DRAINED);
		break;
	}
	if (is_known)
		oracle_tell(version, stacked->on ? ON : OFF);
	count_change();
}

/* Perhaps there and back. */
static void revert_and_turn(uint64_t *state, struct hotpatch_patch *patch)
{
	enum hotpatch_status status;
	struct hotpatch_error err;

	must(hotpatch_patch_revert(patch, &patient, &err), &err);
	if (roll(state, 3))
		return;
	status = hotpatch_patch_apply(patch, &patient, &err);
	/* It may have been through already. */
	if (status == HOTPATCH_E_STATE)
		return;
	must(status, &err);
	must(hotpatch_patch_revert(patch, &patient, &err), &err);
}

static void take_off(uint64_t *state, struct stacked *stacked)
{
	if (stacked->on) {
		oracle_tell(stacked->version, GOING);
		if (wants_to_adopt(state))
			change_and_adopt(stacked, false);
		else
			revert_and_turn(state, stacked->patch);
	}
	close_unmapped(stacked->patch, stacked->version);
}

/* One patch, or two that lie on each other, removed in any order. */
void *change(void *index)
{
	uint64_t state = options.seed * 7919u + (uintptr_t)index;
	int first = 1 + (int)((uintptr_t)index % CHANGERS) * EACH;
	struct stacked stacked[EACH];
	bool upside_down;
	int count;
	int i;

	chance_start((unsigned int)(uintptr_t)index);
	become_task();
	while (!is_over()) {
		quiet_begin_change();
		count = 1 + (int)roll(&state, EACH);
		for (i = 0; i < count; i++)
			put_on(&state, &stacked[i], first + i);
		if (roll(&state, 4) == 0)
			nap(&state, 2000);
		upside_down = roll(&state, 2);
		for (i = 0; i < count; i++)
			take_off(&state,
				 &stacked[upside_down ? count - 1 - i : i]);
		quiet_end_change();
	}
	return NULL;
}
