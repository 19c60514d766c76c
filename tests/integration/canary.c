/* SPDX-License-Identifier: MIT */
/*
 * A patch that a share of the tasks sees before all do: who is in, that nobody
 * sees a mixture, and how it is raised, stopped, taken back and brought to all.
 */
#include "versions.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#define KEYS 10000

static struct hotpatch_canary share_of(unsigned int share)
{
	return (struct hotpatch_canary){
		.size = sizeof(struct hotpatch_canary),
		.share = share,
	};
}

static enum hotpatch_status try_canary(struct hotpatch_patch *patch,
				       const struct hotpatch_canary *canary,
				       struct hotpatch_error *err)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.canary = canary,
	};

	return hotpatch_patch_apply(patch, &options, err);
}

static struct hotpatch_patch *open_canary(const char *name, unsigned int share)
{
	struct hotpatch_canary canary = share_of(share);
	struct hotpatch_patch *patch = open_bundle(name);

	expect_ok(try_canary(patch, &canary, &err));
	return patch;
}

static void set_share(struct hotpatch_patch *patch, unsigned int share)
{
	struct hotpatch_canary canary = share_of(share);

	expect_ok(hotpatch_patch_canary(patch, &canary, &err));
}

static void come_to_all(struct hotpatch_patch *patch)
{
	expect_ok(hotpatch_patch_canary(patch, NULL, &err));
}

static struct hotpatch_patch_info info_of(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	return info;
}

/* What a section of this key sees. */
static int version_for(uint64_t key)
{
	int seen;

	hotpatch_task_key(key);
	hotpatch_enter();
	seen = version();
	hotpatch_leave();
	return seen;
}

static unsigned int count_in(bool *in)
{
	unsigned int count = 0;
	uint64_t key;

	for (key = 0; key < KEYS; key++) {
		in[key] = version_for(key) == 1;
		count += in[key];
	}
	return count;
}

/* ---- Whom it takes ---- */

/* Five standard deviations of a choice by chance. */
static void expect_share(unsigned int count, unsigned int share)
{
	double expected = (double)share * KEYS / HOTPATCH_CANARY_WHOLE;
	double variance =
		expected * (1 - (double)share / HOTPATCH_CANARY_WHOLE);
	double off = count - expected;

	ck_assert_msg(off * off <= 25 * variance, "%u keys for a share of %u",
		      count, share);
}

START_TEST(share_takes_its_part_of_all_keys_and_keeps_them_as_it_is_raised)
{
	static const unsigned int shares[] = {
		0, 1, 100, 500, 2500, 9000, HOTPATCH_CANARY_WHOLE};
	struct hotpatch_patch *patch = open_canary("one", 1);
	static bool before[KEYS];
	static bool in[KEYS];
	size_t i;
	int key;

	for (i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		set_share(patch, shares[i]);
		memcpy(before, in, sizeof(in));
		expect_share(count_in(in), shares[i]);
		for (key = 0; key < KEYS; key++)
			ck_assert(in[key] || !before[key]);
	}
	come_to_all(patch);
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

START_TEST(other_patch_takes_other_keys)
{
	struct hotpatch_patch *patch = open_canary("one", 5000);
	static bool first[KEYS];
	unsigned int both = 0;
	uint64_t key;

	count_in(first);
	remove_patch(patch);
	patch = open_canary("two", 5000);
	for (key = 0; key < KEYS; key++)
		both += first[key] && version_for(key) == 2;
	expect_share(both, 2500);
	remove_patch(patch);
}
END_TEST

START_TEST(named_keys_are_in_whatever_the_share)
{
	static const uint64_t keys[HOTPATCH_CANARY_KEYS] = {7, UINT64_MAX, 0};
	struct hotpatch_canary canary = {sizeof(canary), 0, keys, 2};
	struct hotpatch_patch *patch = open_bundle("one");
	struct hotpatch_patch_info info;

	expect_ok(try_canary(patch, &canary, &err));
	info = info_of(patch);
	ck_assert(info.canary);
	ck_assert_uint_eq(info.canary_share, 0);
	ck_assert_uint_eq(info.canary_keys, 2);
	ck_assert_int_eq(version_for(7), 1);
	ck_assert_int_eq(version_for(UINT64_MAX), 1);
	ck_assert_int_eq(version_for(0), 0);
	ck_assert_int_eq(version_for(8), 0);
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_canary(patch, &canary, &err));
	canary.key_count = 1;
	expect_ok(hotpatch_patch_canary(patch, &canary, &err));
	ck_assert_int_eq(version_for(7), 1);
	ck_assert_int_eq(version_for(UINT64_MAX), 0);
	canary.key_count = HOTPATCH_CANARY_KEYS;
	expect_ok(hotpatch_patch_canary(patch, &canary, &err));
	ck_assert_int_eq(version_for(0), 1);
	remove_patch(patch);
}
END_TEST

START_TEST(threads_without_a_key_have_their_own)
{
	struct hotpatch_patch *patch = open_canary("one", 5000);
	struct holder holders[64];
	unsigned int in = 0;
	int i;

	for (i = 0; i < 64; i++) {
		holder_start(&holders[i]);
		in += version_of(&holders[i]) == 1;
	}
	ck_assert_uint_eq(info_of(patch).canary_tasks, in);
	/* By chance all are on one side once in 2^63 runs. */
	ck_assert_uint_gt(in, 0);
	ck_assert_uint_lt(in, 64);
	for (i = 0; i < 64; i++)
		holder_stop(&holders[i]);
	ck_assert_uint_eq(info_of(patch).canary_tasks, 0);
	remove_patch(patch);
}
END_TEST

/* ---- Views ---- */

START_TEST(section_keeps_its_view_while_the_share_changes)
{
	struct hotpatch_patch *patch = open_canary("one", 0);
	struct holder out;
	struct holder in;

	holder_start(&out);
	set_share(patch, HOTPATCH_CANARY_WHOLE);
	holder_start(&in);
	ck_assert_int_eq(version_of(&out), 0);
	ck_assert_int_eq(version_of(&in), 1);
	ck_assert_uint_eq(info_of(patch).canary_tasks, 1);
	set_share(patch, 0);
	ck_assert_int_eq(version_of(&out), 0);
	ck_assert_int_eq(version_of(&in), 1);
	ck_assert_uint_eq(info_of(patch).canary_tasks, 1);
	holder_move(&in);
	ck_assert_int_eq(version_of(&in), 0);
	ck_assert_uint_eq(info_of(patch).canary_tasks, 0);
	set_share(patch, HOTPATCH_CANARY_WHOLE);
	holder_move(&out);
	ck_assert_int_eq(version_of(&out), 1);
	holder_stop(&in);
	holder_stop(&out);
	remove_patch(patch);
}
END_TEST

static void store_thread(void *place)
{
	*(int *)place = own_thread_id();
}

static void take_key(void *key)
{
	hotpatch_task_key(*(uint64_t *)key);
}

static void enter_again(void *unused)
{
	hotpatch_enter();
	hotpatch_safe_point();
	leave(unused);
}

START_TEST(key_counts_from_the_next_safe_point_of_the_outermost_section)
{
	uint64_t key = 7;
	struct hotpatch_canary canary = {sizeof(canary), 0, &key, 1};
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	holder_start(&holder);
	expect_ok(try_canary(patch, &canary, &err));
	holder_run(&holder, take_key, &key);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_run(&holder, enter_again, NULL);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_move(&holder);
	ck_assert_int_eq(version_of(&holder), 1);
	key = 8;
	holder_run(&holder, take_key, &key);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_move(&holder);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

static jmp_buf way_out;

static __attribute__((noinline)) void leave_by_longjmp(void)
{
	char room[256];

	memset(room, 0, sizeof(room));
	hotpatch_enter();
	ck_assert_int_eq(version(), 0);
	longjmp(way_out, room[0] + 1);
}

START_TEST(section_that_was_left_by_longjmp_is_over_and_chosen_anew)
{
	uint64_t key = 7;
	struct hotpatch_canary canary = {sizeof(canary), 0, &key, 1};
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t start = events_now();

	expect_ok(try_canary(patch, &canary, &err));
	hotpatch_task_key(8);
	if (setjmp(way_out) == 0)
		leave_by_longjmp();
	hotpatch_task_key(7);
	hotpatch_enter();
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	count_phase(start, HOTPATCH_PHASE_HEALED, 1);
	remove_patch(patch);
}
END_TEST

START_TEST(callers_in_no_section_have_it_when_all_have)
{
	struct hotpatch_patch *patch =
		open_canary("one", HOTPATCH_CANARY_WHOLE);

	ck_assert_int_eq(version(), 0);
	hotpatch_enter();
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	ck_assert_int_eq(version(), 0);
	come_to_all(patch);
	ck_assert_int_eq(version(), 1);
	await_drained(patch);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
}
END_TEST

/* ---- To all, and back ---- */

#define OPENED(patch)                                                          \
	"opened " patch "\nstaged " patch "\ndetoured " patch                  \
	"\ncanary-opened " patch "\n"
#define SETTLING(patch) "drained " patch "\nsettled " patch "\n"

START_TEST(whole_life_has_its_phases)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_canary("one", 500);

	ck_assert_str_eq(find_event(start, HOTPATCH_PHASE_CANARY_OPENED).object,
			 "5.00 %, 0 keys");
	set_share(patch, 2525);
	ck_assert_str_eq(
		find_event(start, HOTPATCH_PHASE_CANARY_CHANGED).object,
		"25.25 %, 0 keys");
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_apply(patch, NULL, &err));
	come_to_all(patch);
	await_drained(patch);
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_canary(patch, NULL, &err));
	ck_assert(!info_of(patch).canary);
	expect_state(patch, HOTPATCH_ACTIVE);
	expect_events(
		start,
		OPENED("one") "canary-changed one\n"
			      "canary-to-all one\nadvanced one\n" SETTLING(
				      "one") "active one\n");
	remove_patch(patch);
}
END_TEST

START_TEST(taken_back_it_is_unmapped)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch =
		open_canary("one", HOTPATCH_CANARY_WHOLE);
	struct holder holder;

	holder_start(&holder);
	begin_revert(patch);
	ck_assert(!info_of(patch).canary);
	expect_open(patch);
	ck_assert_int_eq(version_for(1), 0);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_move(&holder);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	await_unmapped(patch);
	ck_assert_uint_eq(count_copies(), 0);
	expect_events(start, OPENED("one") "turned one\n" SETTLING(
				     "one") "reverted one\nunmapped one\n");
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(who_is_out_does_not_hinder_the_way_back)
{
	struct hotpatch_patch *patch = open_canary("one", 0);
	struct holder holder;

	holder_start(&holder);
	begin_revert(patch);
	await_drained(patch);
	holder_stop(&holder);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(callbacks_come_before_it_and_when_it_is_over)
{
	struct hotpatch_patch *older = apply_bundle("one");
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_canary("replacing", 0);

	ck_assert_int_eq(version_for(1), 1);
	set_share(patch, HOTPATCH_CANARY_WHOLE);
	ck_assert_int_eq(version_for(1), 3);
	begin_revert(patch);
	await_drained(patch);
	ck_assert_int_eq(version_for(1), 1);
	expect_state(older, HOTPATCH_ACTIVE);
	await_unmapped(patch);
	expect_events(start, "opened replacing\nprepared replacing\n"
			     "staged one\nstaged replacing\n"
			     "detoured one\ndetoured replacing\n"
			     "canary-opened one\ncanary-opened replacing\n"
			     "canary-changed one\ncanary-changed replacing\n"
			     "turned one\nturned replacing\n"
			     "drained one\ndrained replacing\n"
			     "settled one\nsettled replacing\n"
			     "left replacing\nactive one\nreverted replacing\n"
			     "unmapped replacing\n");
	hotpatch_patch_close(patch);
	patch = open_canary("replacing", 5000);
	start = events_now();
	come_to_all(patch);
	await_unmapped(older);
	ck_assert_int_eq(version(), 3);
	expect_events(start,
		      "canary-to-all one\ncanary-to-all replacing\n"
		      "advanced one\nadvanced replacing\n"
		      "drained one\ndrained replacing\n"
		      "settled one\nsettled replacing\n"
		      "committed replacing\nreverted one\nactive replacing\n"
		      "unmapped one\n");
	hotpatch_patch_close(older);
	remove_patch(patch);
}
END_TEST

START_TEST(deadline_counts_from_when_it_comes_to_all)
{
	struct hotpatch_canary canary = share_of(0);
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = 1,
		.policy = HOTPATCH_REVERSE,
		.canary = &canary,
	};
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t start = events_now();
	struct holder holder;
	uint64_t until_ms;

	holder_start(&holder);
	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	until_ms = now_ms() + 20;
	while (now_ms() < until_ms)
		ck_assert_uint_eq(hotpatch_poll(), 0);
	ck_assert_uint_eq(hotpatch_blocker_list(NULL, 0), 0);
	expect_open(patch);
	count_phase(start, HOTPATCH_PHASE_STALLED, 0);
	come_to_all(patch);
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	count_phase(start, HOTPATCH_PHASE_STALLED, 1);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

static struct hotpatch_patch *open_strict_canary(enum hotpatch_policy policy,
						 bool adopt_sleepers)
{
	struct hotpatch_canary canary = share_of(0);
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = 1,
		.policy = policy,
		.adopt_sleepers = adopt_sleepers,
		.canary = &canary,
	};
	struct hotpatch_patch *patch = open_bundle("one");

	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	return patch;
}

START_TEST(policy_of_the_apply_forces_it_to_all)
{
	struct hotpatch_patch *patch =
		open_strict_canary(HOTPATCH_FORCE, false);
	struct hotpatch_process_info process;
	struct holder holder;

	holder_start(&holder);
	come_to_all(patch);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(version(), 1);
	hotpatch_process_info(&process);
	ck_assert(process.forced);
	holder_stop(&holder);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(sleeper_that_is_out_is_moved_once_it_comes_to_all)
{
	struct hotpatch_patch *patch = open_strict_canary(HOTPATCH_WAIT, true);
	uint64_t start = events_now();
	struct holder holder;
	int thread = 0;

	needs_proc();
	holder_start(&holder);
	holder_run(&holder, store_thread, &thread);
	ck_assert_int_eq(version_of(&holder), 0);
	await(is_asleep(thread));
	come_to_all(patch);
	await_drained(patch);
	count_phase(start, HOTPATCH_PHASE_ADOPTED, 1);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

START_TEST(who_is_out_is_in_the_way_once_it_comes_to_all)
{
	struct hotpatch_patch *patch = open_canary("one", 0);
	struct hotpatch_blocker blocker;
	struct holder holder;

	holder_start(&holder);
	come_to_all(patch);
	ck_assert_uint_eq(hotpatch_blocker_list(&blocker, 1), 1);
	expect_open(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_move(&holder);
	ck_assert_int_eq(version_of(&holder), 1);
	await_drained(patch);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

/* ---- What it is refused for ---- */

START_TEST(other_changes_wait_for_it)
{
	struct hotpatch_patch *patch = open_canary("one", 5000);
	struct hotpatch_patch *other = open_bundle("two");

	expect_status(HOTPATCH_E_BUSY, hotpatch_patch_apply(other, NULL, &err));
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_apply(patch, NULL, &err));
	come_to_all(patch);
	await_drained(patch);
	apply(other);
	remove_patch(other);
	remove_patch(patch);
}
END_TEST

/* The answer of an apply with a canary is foreseen by who only asks. */
static void expect_refused(struct hotpatch_patch *patch, const char *name)
{
	const struct hotpatch_canary canary = share_of(100);
	struct hotpatch_open_options asking = {
		.size = sizeof(asking),
		.check_only = true,
	};
	unsigned int state = state_of(patch);
	struct hotpatch_patch *known = NULL;
	struct hotpatch_error foreseen;
	struct hotpatch_error given;

	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_open(bundle_path(name), &asking, &known,
					  &err));
	hotpatch_patch_close(known);
	asking.canary = true;
	ck_assert_int_eq(hotpatch_patch_open(bundle_path(name), &asking, &known,
					     &foreseen),
			 HOTPATCH_E_CANARY);
	ck_assert_ptr_null(known);
	ck_assert_int_eq(try_canary(patch, &canary, &given), HOTPATCH_E_CANARY);
	ck_assert_str_eq(given.sentence, foreseen.sentence);
	ck_assert_str_eq(given.object, foreseen.object);
	ck_assert_uint_eq(state_of(patch), state);
}

START_TEST(no_canary_of_what_cannot_have_one)
{
	struct hotpatch_canary canary = share_of(100);
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.canary = &canary,
	};
	struct hotpatch_patch *patch = open_bundle("immediate");
	uint64_t keys[1] = {0};

	expect_refused(patch, "immediate");
	hotpatch_patch_close(patch);
	patch = open_bundle("rendezvous");
	expect_refused(patch, "rendezvous");
	apply(patch);
	expect_status(HOTPATCH_E_CANARY,
		      hotpatch_patch_revert(patch, &options, &err));
	expect_status(HOTPATCH_E_NO_CANARY,
		      hotpatch_patch_canary(patch, &canary, &err));
	hotpatch_patch_close(patch);
	patch = open_bundle("replacing");
	expect_refused(patch, "replacing");
	canary.share = HOTPATCH_CANARY_WHOLE + 1;
	expect_status(HOTPATCH_E_ARGUMENT, try_canary(patch, &canary, &err));
	canary = share_of(1);
	canary.key_count = 1;
	expect_status(HOTPATCH_E_ARGUMENT, try_canary(patch, &canary, &err));
	canary.keys = keys;
	canary.key_count = HOTPATCH_CANARY_KEYS + 1;
	expect_status(HOTPATCH_E_ARGUMENT, try_canary(patch, &canary, &err));
	expect_status(HOTPATCH_E_NO_CANARY,
		      hotpatch_patch_canary(patch, NULL, &err));
	canary = share_of(1);
	canary.size--;
	expect_status(HOTPATCH_E_ARGUMENT, try_canary(patch, &canary, &err));
	expect_state(patch, HOTPATCH_LOADED);
	hotpatch_patch_close(patch);
}
END_TEST

/* While it goes back tasks have either view for another reason. */
START_TEST(no_canary_of_what_is_turned_round)
{
	const struct hotpatch_canary canary = share_of(100);
	struct hotpatch_patch *patch = apply_bundle("one");
	struct holder holder;

	holder_start(&holder);
	begin_revert(patch);
	expect_refused(patch, "one");
	expect_status(HOTPATCH_E_NO_CANARY,
		      hotpatch_patch_canary(patch, &canary, &err));
	holder_stop(&holder);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

/* Of what is not here yet, and of what may have one. */
START_TEST(canary_is_foreseen_without_loading_anything)
{
	static const struct {
		const char *name;
		bool canary;
		enum hotpatch_status expected;
	} asked[] = {
		{"immediate", true, HOTPATCH_E_CANARY},
		{"rendezvous", true, HOTPATCH_E_CANARY},
		{"immediate", false, HOTPATCH_OK},
		{"rendezvous", false, HOTPATCH_OK},
		{"replacing", true, HOTPATCH_OK},
		{"one", true, HOTPATCH_OK},
	};
	struct hotpatch_open_options asking = {
		.size = sizeof(asking),
		.check_only = true,
	};
	struct hotpatch_patch *patch = NULL;
	size_t i;

	for (i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		asking.canary = asked[i].canary;
		expect_status(asked[i].expected,
			      hotpatch_patch_open(bundle_path(asked[i].name),
						  &asking, &patch, &err));
	}
	ck_assert_uint_eq(hotpatch_patch_list(NULL, 0), 0);
	patch = apply_bundle("one");
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_open(bundle_path("one"), &asking, &patch,
					  &err));
	hotpatch_patch_close(patch);
	remove_patch(patch);
}
END_TEST

START_TEST(changed_from_a_section_it_is_refused)
{
	struct hotpatch_patch *patch = open_canary("one", 1);

	hotpatch_enter();
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_canary(patch, NULL, &err));
	hotpatch_leave();
	remove_patch(patch);
}
END_TEST

/* ---- Threads ---- */

static uint64_t next_key;

/* A request of somebody else each time. */
static bool serve(void)
{
	/* Relaxed: only its being another one. */
	hotpatch_task_key(hp_add_relaxed(&next_key, 1));
	hotpatch_safe_point();
	return saw_mixture();
}

START_TEST(nobody_sees_a_mixture_while_the_share_goes_up_and_down)
{
	int rounds = SANITIZED ? 40 : 100;
	struct hotpatch_patch *patch;
	struct workers workers;
	int round;
	int i;

	workers_start(&workers, 4, serve);
	for (round = 0; round < rounds; round++) {
		patch = open_canary("one", (unsigned int)(round * 37) %
						   HOTPATCH_CANARY_WHOLE);
		for (i = 1; i <= round % 7; i++)
			set_share(patch, (unsigned int)(round * 37 + i * 4001) %
						 HOTPATCH_CANARY_WHOLE);
		if (round % 10 == 0)
			workers_await_progress(&workers);
		if (round % 3 == 0) {
			come_to_all(patch);
			if (round % 2)
				await_drained(patch);
		}
		remove_patch(patch);
	}
	ck_assert_uint_eq(workers_stop(&workers), 0);
	ck_assert_int_eq(version(), 0);
}
END_TEST

/* ---- Who else has views ---- */

static int handler_version;

static void handle(int number)
{
	(void)number;
	hotpatch_task_key(7);
	hotpatch_enter();
	handler_version = version();
	hotpatch_leave();
}

/* In a section it has the section's view; at rest it chooses by itself. */
START_TEST(signal_handler_keeps_or_chooses)
{
	uint64_t key = 7;
	struct hotpatch_canary canary = {sizeof(canary), 0, &key, 1};
	struct hotpatch_patch *patch = open_bundle("one");

	signal(SIGUSR1, handle);
	expect_ok(try_canary(patch, &canary, &err));
	hotpatch_task_key(1);
	hotpatch_enter();
	raise(SIGUSR1);
	ck_assert_int_eq(handler_version, 0);
	ck_assert_int_eq(version(), 0);
	hotpatch_safe_point();
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	hotpatch_task_key(1);
	raise(SIGUSR1);
	ck_assert_int_eq(handler_version, 1);
	remove_patch(patch);
}
END_TEST

START_TEST(fibers_choose_each_for_itself)
{
	struct hotpatch_task *fibers[2] = {hotpatch_task_create(NULL),
					   hotpatch_task_create(NULL)};
	uint64_t key = 7;
	struct hotpatch_canary canary = {sizeof(canary), 0, &key, 1};
	struct hotpatch_patch *patch = open_bundle("one");
	int i;

	expect_ok(try_canary(patch, &canary, &err));
	hotpatch_task_key(1);
	for (i = 0; i < 2; i++) {
		hotpatch_task_switch(fibers[i]);
		hotpatch_task_key(i == 0 ? 7 : 8);
		hotpatch_enter();
	}
	hotpatch_task_switch(fibers[0]);
	ck_assert_int_eq(version(), 1);
	hotpatch_task_switch(fibers[1]);
	ck_assert_int_eq(version(), 0);
	hotpatch_leave();
	hotpatch_task_switch(NULL);
	hotpatch_enter();
	ck_assert_int_eq(version(), 0);
	hotpatch_leave();
	hotpatch_task_destroy(fibers[0]);
	hotpatch_task_destroy(fibers[1]);
	remove_patch(patch);
}
END_TEST

static void in_child(void (*work)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		work();
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the child ended with %#x", (unsigned int)status);
}

static void be_without_it(void)
{
	struct hotpatch_patch *patch;

	ck_assert_int_eq(version(), 0);
	ck_assert_int_eq(version_for(1), 0);
	expect_ok(hotpatch_patch_find("one", &patch));
	expect_state(patch, HOTPATCH_REVERTED);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
	remove_patch(apply_bundle("two"));
}

START_TEST(child_has_it_reverted_and_its_parent_goes_on)
{
	struct hotpatch_patch *patch =
		open_canary("one", HOTPATCH_CANARY_WHOLE);

	in_child(be_without_it);
	ck_assert(info_of(patch).canary);
	ck_assert_int_eq(version_for(1), 1);
	remove_patch(patch);
}
END_TEST

static void end_the_section(void)
{
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	ck_assert_int_eq(version_for(1), 0);
	remove_patch(apply_bundle("two"));
	ck_assert_int_eq(version(), 0);
}

START_TEST(child_ends_its_section_with_the_view_that_it_had)
{
	struct hotpatch_patch *patch =
		open_canary("one", HOTPATCH_CANARY_WHOLE);

	hotpatch_enter();
	ck_assert_int_eq(version(), 1);
	in_child(end_the_section);
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	remove_patch(patch);
}
END_TEST

static unsigned int freed;

static void count_freed(void *data, const void *object)
{
	(void)data;
	(void)object;
	freed++;
}

HOTPATCH_SHADOW_WITH(int, mark, 0xca, NULL, count_freed, NULL);

static int object;

static void attach_mark(void)
{
	int *data;

	expect_ok(mark_attach(&object, NULL, &data, &err));
}

/* Their grace period needs generations, which a canary goes on making; a
 * section that may have them is waited for. */
START_TEST(shadows_are_freed_while_it_is_open)
{
	struct hotpatch_patch *patch =
		open_canary("one", HOTPATCH_CANARY_WHOLE);
	struct holder holder;
	int i;

	attach_mark();
	holder_start(&holder);
	ck_assert_int_eq(mark_detach(&object), HOTPATCH_OK);
	for (i = 0; i < 100; i++)
		hotpatch_poll();
	ck_assert_uint_eq(freed, 0);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_move(&holder);
	await((hotpatch_poll(), freed == 1));
	ck_assert_int_eq(version_of(&holder), 1);
	ck_assert(info_of(patch).canary);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		share_takes_its_part_of_all_keys_and_keeps_them_as_it_is_raised,
		other_patch_takes_other_keys,
		named_keys_are_in_whatever_the_share,
		threads_without_a_key_have_their_own,
		section_keeps_its_view_while_the_share_changes,
		key_counts_from_the_next_safe_point_of_the_outermost_section,
		section_that_was_left_by_longjmp_is_over_and_chosen_anew,
		callers_in_no_section_have_it_when_all_have,
		whole_life_has_its_phases,
		taken_back_it_is_unmapped,
		who_is_out_does_not_hinder_the_way_back,
		callbacks_come_before_it_and_when_it_is_over,
		deadline_counts_from_when_it_comes_to_all,
		policy_of_the_apply_forces_it_to_all,
		sleeper_that_is_out_is_moved_once_it_comes_to_all,
		who_is_out_is_in_the_way_once_it_comes_to_all,
		other_changes_wait_for_it,
		no_canary_of_what_cannot_have_one,
		no_canary_of_what_is_turned_round,
		canary_is_foreseen_without_loading_anything,
		changed_from_a_section_it_is_refused,
		nobody_sees_a_mixture_while_the_share_goes_up_and_down,
		signal_handler_keeps_or_chooses,
		fibers_choose_each_for_itself,
		child_has_it_reverted_and_its_parent_goes_on,
		child_ends_its_section_with_the_view_that_it_had,
		shadows_are_freed_while_it_is_open,
	};

	return run_tests("canary", tests, sizeof(tests) / sizeof(tests[0]));
}
