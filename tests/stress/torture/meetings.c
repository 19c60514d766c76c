/* SPDX-License-Identifier: MIT */
/*
 * A changer whose bundles have callbacks, some of which refuse, and for one of
 * which all tasks meet. Callbacks come in pairs; nobody is in a section while
 * the bundle migrates; a meeting that is missed, or a refusal, leaves what was.
 *
 * The meeting is the number of steps of migrations, odd while one goes on. A
 * section finds the same even number until its end. A signal handler that
 * interrupts a task which waits cannot wait: for it nothing is asked if the
 * changer tried to meet meanwhile.
 */
#include "torture.h"

#include <hotpatch/bundle.h>

#include <stdio.h>

#define MEET_MS 20
#define TURN_MS 60000

bool callback_passes(int version, int kind);

enum owed {
	NOTHING, /* as before the first prepare */
	PREPARED,
	COMMITTED,
	LEAVING,
};

static const struct hotpatch_apply_options meeting_options = {
	.size = sizeof(meeting_options),
	.turn_ms = TURN_MS,
	.rendezvous_ms = MEET_MS,
};

static uint64_t meeting;
static uint64_t tries_begun;
static uint64_t tries_ended;
static uint32_t owed[VERSIONS + 1]; /* enum owed; one change at a time */
static __thread uint64_t refusals;
static bool is_child;
static uint32_t meetings_held;

uint64_t meeting_now(void)
{
	return hp_load_acquire(&meeting); /* pairs with migrate() */
}

uint64_t meeting_tries(bool ended)
{
	/* Acquire pairs with try_to(). */
	return hp_load_acquire(ended ? &tries_ended : &tries_begun);
}

/* What another thread's callback had done is not known here. */
void meetings_forget(void)
{
	is_child = true;
}

static void migrate(void)
{
	hp_add_fenced(&meeting, 1); /* pairs with meeting_now() */
	linger();
	hp_add_fenced(&meeting, 1);	   /* as above */
	hp_add_relaxed(&meetings_held, 1); /* a figure */
}

static void follow(int version, int kind, enum owed one, enum owed other,
		   enum owed next)
{
	enum owed now = (enum owed)hp_load_acquire(&owed[version]);

	if (now != one && now != other && !is_child)
		fail("pairs: a callback that is not its turn", kind, (int)now);
	hp_store_release(&owed[version], next); /* pairs with the load above */
}

/* False: prepare is to refuse. */
bool callback_passes(int version, int kind)
{
	linger();
	switch (kind) {
	case HOTPATCH_CALLBACK_PREPARE:
		if (roll(&refusals, 4) == 0)
			return false;
		follow(version, kind, NOTHING, NOTHING, PREPARED);
		break;
	case HOTPATCH_CALLBACK_COMMIT:
		follow(version, kind, PREPARED, LEAVING, COMMITTED);
		break;
	case HOTPATCH_CALLBACK_BEFORE_REVERT:
		follow(version, kind, COMMITTED, COMMITTED, LEAVING);
		break;
	case HOTPATCH_CALLBACK_AFTER_REVERT:
		follow(version, kind, PREPARED, LEAVING, NOTHING);
		break;
	default:
		migrate();
		break;
	}
	return true;
}

/* Gives back whether it was done: prepare may refuse, tasks may be late. */
static bool try_to(bool apply, struct hotpatch_patch *patch)
{
	struct hotpatch_error err;
	enum hotpatch_status status;

	hp_add_fenced(&tries_begun, 1); /* pairs with meeting_tries() */
	status = apply ? hotpatch_patch_apply(patch, &meeting_options, &err) :
			 hotpatch_patch_revert(patch, &meeting_options, &err);
	hp_add_fenced(&tries_ended, 1); /* as above */
	if (status == HOTPATCH_E_RENDEZVOUS ||
	    (apply && status == HOTPATCH_E_PREPARE))
		return false;
	must(status, &err);
	return true;
}

static void expect_owed(int version, enum owed expected)
{
	enum owed now = (enum owed)hp_load_acquire(&owed[version]);

	if (now != expected) /* its release is in follow() */
		fail("pairs: a callback is still owed", (int)now,
		     (int)expected);
}

/* What the changer itself sees. */
static void check(void)
{
	struct section section;

	section_enter(&section);
	look(&section);
	section_leave(&section);
}

static void apply_and_revert(struct hotpatch_patch *patch, int version)
{
	struct hotpatch_error err;

	oracle_tell(version, COMING);
	if (!try_to(true, patch)) {
		oracle_tell(version, OFF);
		expect_owed(version, NOTHING);
		return;
	}
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	oracle_tell(version, ON);
	expect_owed(version, COMMITTED);
	check();
	do {
		oracle_tell(version, GOING);
		if (try_to(false, patch))
			break;
		oracle_tell(version, ON);
		expect_owed(version, COMMITTED);
		check();
		nap(&refusals, 5000); /* others want their turn */
	} while (true);
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	oracle_tell(version, OFF);
	expect_owed(version, NOTHING);
}

/* As it is, or unmapped. */
static void close_version(struct hotpatch_patch *patch, int version)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	if (info.state == HOTPATCH_REVERTED)
		close_unmapped(patch, version);
	else
		hotpatch_patch_close(patch);
}

static void change_with(uint64_t state, int version, bool meets)
{
	struct hotpatch_patch *patch;

	refusals = state;
	become_task();
	while (!is_over()) {
		if (meets)
			version = roll(&state, 2) ? MEETING_VERSION :
						    CALLBACK_VERSION;
		quiet_begin_change();
		patch = open_version(version);
		apply_and_revert(patch, version);
		check();
		close_version(patch, version);
		quiet_end_change();
		count_change();
	}
}

void *change_with_callbacks(void *index)
{
	chance_start((unsigned int)(uintptr_t)index);
	change_with(options.seed * 31u + (uintptr_t)index, CALLBACK_VERSION,
		    false);
	return NULL;
}

/* Readers that stay in their sections for longer than anybody waits, as fibers
 * do, are not to be there. */
void *change_by_meeting(void *index)
{
	chance_start((unsigned int)(uintptr_t)index);
	change_with(options.seed * 37u + (uintptr_t)index, CALLBACK_VERSION,
		    true);
	printf("torture: %u meetings\n", meetings_held);
	return NULL;
}
