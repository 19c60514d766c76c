/* SPDX-License-Identifier: MIT */
/*
 * Threads that sleep inside an old section, and when the new view may be
 * adopted on their behalf.
 */
#include "versions.h"

#include <hotpatch/shadow.h>

#define DEADLINE_MS 50

static int pipe_ends[2];

HOTPATCH_FUNCTION(int, wait_for_byte, (int fd))
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		;
	return 0;
}

/* A thread that sleeps in a section, and what it sees when it wakes. */
struct sleeper {
	pthread_t thread;
	int id;
	void (*sleep)(void);
	sem_t inside;
	int seen_before;
	int seen_after;
};

static void sleep_in_function(void)
{
	wait_for_byte(pipe_ends[0]);
}

static void sleep_elsewhere(void)
{
	char byte;

	while (read(pipe_ends[0], &byte, 1) < 0)
		;
}

static void *sleeper_main(void *argument)
{
	struct sleeper *sleeper = argument;

	pthread_setname_np(pthread_self(), "the sleeper");
	hotpatch_enter();
	sleeper->seen_before = version();
	sleeper->id = own_thread_id();
	sem_post(&sleeper->inside);
	sleeper->sleep();
	sleeper->seen_after = version();
	hotpatch_leave();
	return NULL;
}

static void sleeper_start(struct sleeper *sleeper, void (*sleep)(void))
{
	ck_assert_int_eq(pipe(pipe_ends), 0);
	sem_init(&sleeper->inside, 0, 0);
	sleeper->sleep = sleep;
	pthread_create(&sleeper->thread, NULL, sleeper_main, sleeper);
	await_semaphore(&sleeper->inside);
	await(is_asleep(sleeper->id));
}

static void sleeper_wake(struct sleeper *sleeper)
{
	ck_assert_int_eq(write(pipe_ends[1], "", 1), 1);
	pthread_join(sleeper->thread, NULL);
}

static struct hotpatch_apply_options options_that(bool adopt)
{
	return (struct hotpatch_apply_options){
		.size = sizeof(struct hotpatch_apply_options),
		.deadline_ms = DEADLINE_MS,
		.policy = HOTPATCH_REVERSE,
		.adopt_sleepers = adopt,
	};
}

static void expect_adopted(uint64_t since, int thread)
{
	struct hotpatch_event event = find_event(since, HOTPATCH_PHASE_ADOPTED);
	char object[32];

	snprintf(object, sizeof(object), "thread %d", thread);
	ck_assert_str_eq(event.object, object);
}

START_TEST(sleeper_without_old_code_is_moved_if_that_is_wanted)
{
	const struct hotpatch_apply_options options = options_that(true);
	struct hotpatch_patch *patch = open_bundle("blocking");
	uint64_t since = events_now();
	struct sleeper sleeper;

	needs_proc();
	sleeper_start(&sleeper, sleep_elsewhere);
	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	expect_adopted(since, sleeper.id);
	sleeper_wake(&sleeper);
	ck_assert_int_eq(sleeper.seen_before, 0);
	ck_assert_int_eq(sleeper.seen_after, 1);
	remove_patch(patch);
}
END_TEST

START_TEST(sleeper_without_old_code_is_left_alone_by_default)
{
	const struct hotpatch_apply_options options = options_that(false);
	struct hotpatch_patch *patch = open_bundle("blocking");
	uint64_t since = events_now();
	struct sleeper sleeper;

	sleeper_start(&sleeper, sleep_elsewhere);
	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	count_phase(since, HOTPATCH_PHASE_ADOPTED, 0);
	sleeper_wake(&sleeper);
	ck_assert_int_eq(sleeper.seen_after, 0);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(sleeper_in_the_old_function_is_never_moved)
{
	const struct hotpatch_apply_options options = options_that(true);
	struct hotpatch_patch *patch = open_bundle("blocking");
	uint64_t since = events_now();
	struct sleeper sleeper;

	sleeper_start(&sleeper, sleep_in_function);
	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	count_phase(since, HOTPATCH_PHASE_ADOPTED, 0);
	sleeper_wake(&sleeper);
	ck_assert_int_eq(sleeper.seen_after, 0);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(sleeper_in_a_bundles_function_keeps_it_from_being_left)
{
	const struct hotpatch_apply_options options = options_that(true);
	struct hotpatch_patch *patch = apply_bundle("sleeping");
	struct sleeper sleeper;

	sleeper_start(&sleeper, sleep_in_function);
	expect_ok(hotpatch_patch_revert(patch, &options, &err));
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(version(), 1);
	sleeper_wake(&sleeper);
	ck_assert_int_eq(sleeper.seen_after, 1);
	remove_patch(patch);
}
END_TEST

/* The adopted thread is no hindrance for what comes later either. */
START_TEST(moved_sleeper_lets_the_old_code_be_unmapped)
{
	const struct hotpatch_apply_options options = options_that(true);
	struct hotpatch_patch *patch = apply_bundle("one");
	uint64_t since = events_now();
	struct sleeper sleeper;

	needs_proc();
	sleeper_start(&sleeper, sleep_elsewhere);
	ck_assert_int_eq(sleeper.seen_before, 1);
	expect_ok(hotpatch_patch_revert(patch, &options, &err));
	await_drained(patch);
	expect_adopted(since, sleeper.id);
	sleeper_wake(&sleeper);
	ck_assert_int_eq(sleeper.seen_after, 0);
	await_unmapped(patch);
	ck_assert_uint_eq(count_copies(), 0);
	hotpatch_patch_close(patch);
}
END_TEST

static uint32_t destroyed;

static void count_destroyed(void *data, const void *of)
{
	(void)data;
	(void)of;
	destroyed++;
}

HOTPATCH_SHADOW_WITH(uint64_t, held, 1, NULL, count_destroyed, NULL)

static int object;

static void sleep_with_shadow(void)
{
	uint64_t *data = held_get(&object);

	sleep_elsewhere();
	*data = destroyed;
}

/* Its view is newer than what its section has in its hands. */
START_TEST(moved_sleeper_keeps_the_shadow_that_it_got)
{
	const struct hotpatch_apply_options options = options_that(true);
	struct hotpatch_patch *patch = open_bundle("blocking");
	struct sleeper sleeper;
	int i;

	needs_proc();
	expect_ok(held_attach(&object, NULL, NULL, &err));
	sleeper_start(&sleeper, sleep_with_shadow);
	expect_ok(held_detach(&object));
	ck_assert_uint_eq(hotpatch_poll(), 1); /* its wait has begun */
	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	for (i = 0; i < 10; i++)
		hotpatch_poll();
	ck_assert_uint_eq(destroyed, 0);
	sleeper_wake(&sleeper);
	await(hotpatch_poll() == 0);
	ck_assert_uint_eq(destroyed, 1);
	remove_patch(patch);
}
END_TEST

static uint32_t stop_spinning;

static void spin(void)
{
	while (!hp_load_relaxed(&stop_spinning)) /* a flag for itself */
		;
}

START_TEST(thread_that_runs_is_never_moved)
{
	const struct hotpatch_apply_options options = options_that(true);
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	struct sleeper spinner;

	sem_init(&spinner.inside, 0, 0);
	spinner.sleep = spin;
	pthread_create(&spinner.thread, NULL, sleeper_main, &spinner);
	await_semaphore(&spinner.inside);
	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	count_phase(since, HOTPATCH_PHASE_ADOPTED, 0);
	hp_store_relaxed(&stop_spinning, 1); /* as above */
	pthread_join(spinner.thread, NULL);
	ck_assert_int_eq(spinner.seen_after, 0);
	hotpatch_patch_close(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		sleeper_without_old_code_is_moved_if_that_is_wanted,
		sleeper_without_old_code_is_left_alone_by_default,
		sleeper_in_the_old_function_is_never_moved,
		sleeper_in_a_bundles_function_keeps_it_from_being_left,
		moved_sleeper_lets_the_old_code_be_unmapped,
		moved_sleeper_keeps_the_shadow_that_it_got,
		thread_that_runs_is_never_moved,
	};

	return run_tests("sleepers", tests, sizeof(tests) / sizeof(tests[0]));
}
