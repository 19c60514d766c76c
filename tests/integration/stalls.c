/* SPDX-License-Identifier: MIT */
/*
 * Transitions that stay open: a thread in an old section, who is named for it,
 * what a missed deadline does, and callers that may not change patches now.
 */
#include "versions.h"

#define DEADLINE_MS 50

static int pipe_ends[2];

HOTPATCH_FUNCTION(int, wait_for_byte, (int fd))
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		;
	return 0;
}

/* Declared by the bundle that calls it. */
void called_by_constructor(void);

static enum hotpatch_status apply_with(struct hotpatch_patch *patch,
				       enum hotpatch_policy policy,
				       unsigned int turn_ms)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = DEADLINE_MS,
		.policy = policy,
		.turn_ms = turn_ms,
	};

	return hotpatch_patch_apply(patch, &options, NULL);
}

static void name_thread(void *name)
{
	pthread_setname_np(pthread_self(), name);
}

static void sleep_in_function(void *version_place)
{
	*(int *)version_place = wait_for_byte(pipe_ends[0]);
}

static void expect_blocker(const char *name, const char *function)
{
	struct hotpatch_blocker blocker;
	uint64_t until_ms = now_ms() + PATIENCE_MS;

	do {
		ck_assert_uint_eq(hotpatch_blocker_list(&blocker, 1), 1);
	} while (!blocker.asleep && now_ms() < until_ms);
	ck_assert(blocker.asleep);
	ck_assert_str_eq(blocker.name, name);
	ck_assert_str_eq(blocker.function, function);
	ck_assert_int_ne(blocker.thread, 0);
	ck_assert_uint_ne(blocker.generation, 0);
	ck_assert_str_ne(blocker.advice, "");
}

/* ---- One thread stays, the others go ---- */

START_TEST(others_move_at_once_while_one_thread_stays)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct hotpatch_process_info process;
	struct holder stays;
	struct holder moves;

	holder_start(&stays);
	holder_start(&moves);
	begin_apply(patch);
	holder_move(&moves);
	ck_assert_int_eq(version_of(&moves), 1);
	ck_assert_int_eq(version(), 1);
	hotpatch_enter();
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	ck_assert_int_eq(version_of(&stays), 0);
	hotpatch_process_info(&process);
	ck_assert(process.transition);
	expect_state(patch, HOTPATCH_APPLYING);
	holder_stop(&stays);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	holder_stop(&moves);
	remove_patch(patch);
}
END_TEST

START_TEST(working_threads_move_while_one_thread_stays)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct workers workers;
	struct holder stays;

	holder_start(&stays);
	workers_start(&workers, 2, saw_mixture);
	begin_apply(patch);
	workers_await_progress(&workers);
	await(hp_load_relaxed(&newest_seen) == 1); /* a flag for itself */
	ck_assert_int_eq(version_of(&stays), 0);
	begin_revert(patch);
	await_drained(patch);
	ck_assert_int_eq(version_of(&stays), 0);
	ck_assert_uint_eq(workers_stop(&workers), 0);
	holder_stop(&stays);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

/* ---- Who is in the way ---- */

START_TEST(sleeper_in_an_old_section_is_named)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct hotpatch_error why;
	struct holder holder;

	needs_proc();
	holder_start(&holder);
	holder_run(&holder, name_thread, "the holder");
	ck_assert_uint_eq(hotpatch_blocker_list(NULL, 0), 0);
	begin_apply(patch);
	expect_blocker("the holder", "");
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &why),
			 HOTPATCH_E_TIMEOUT);
	expect_words(why, "the holder", "in the way");
	holder_stop(&holder);
	await_drained(patch);
	ck_assert_uint_eq(hotpatch_blocker_list(NULL, 0), 0);
	remove_patch(patch);
}
END_TEST

START_TEST(sleeper_in_an_old_function_is_named_with_it)
{
	struct hotpatch_patch *patch = open_bundle("blocking");
	struct hotpatch_error why;
	struct holder holder;
	int seen = -1;

	needs_proc();
	ck_assert_int_eq(pipe(pipe_ends), 0);
	holder_start(&holder);
	holder_run(&holder, name_thread, "the sleeper");
	holder.work = sleep_in_function;
	holder.argument = &seen;
	sem_post(&holder.told);
	begin_apply(patch);
	expect_blocker("the sleeper", "wait_for_byte");
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &why),
			 HOTPATCH_E_TIMEOUT);
	expect_words(why, "the sleeper", "wait_for_byte");
	ck_assert_int_eq(write(pipe_ends[1], "", 1), 1);
	await_semaphore(&holder.done);
	ck_assert_int_eq(seen, 0);
	holder_stop(&holder);
	await_drained(patch);
	ck_assert_int_eq(wait_for_byte(0), 1);
	remove_patch(patch);
}
END_TEST

START_TEST(sleeper_in_a_patch_is_named_with_it)
{
	struct hotpatch_patch *patch = apply_bundle("sleeping");
	struct hotpatch_patch *next = open_bundle("blocking");
	struct holder holder;
	int seen = -1;

	needs_proc();
	ck_assert_int_eq(pipe(pipe_ends), 0);
	holder_start(&holder);
	holder_run(&holder, name_thread, "the sleeper");
	holder.work = sleep_in_function;
	holder.argument = &seen;
	sem_post(&holder.told);
	begin_apply(next);
	expect_blocker("the sleeper", "sleeping");
	ck_assert_int_eq(write(pipe_ends[1], "", 1), 1);
	await_semaphore(&holder.done);
	ck_assert_int_eq(seen, 1);
	holder_stop(&holder);
	await_drained(next);
	remove_patch(next);
	remove_patch(patch);
}
END_TEST

START_TEST(every_thread_in_the_way_is_counted)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct hotpatch_blocker blockers[2];
	struct holder holders[3];
	int i;

	for (i = 0; i < 3; i++)
		holder_start(&holders[i]);
	begin_apply(patch);
	ck_assert_uint_eq(hotpatch_blocker_list(blockers, 2), 3);
	ck_assert_int_ne(blockers[0].thread, blockers[1].thread);
	for (i = 0; i < 3; i++) {
		holder_stop(&holders[i]);
		ck_assert_uint_eq(hotpatch_blocker_list(blockers, 2), 2 - i);
	}
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

/* ---- Turning round ---- */

START_TEST(immediate_patch_is_turned_round_for_all_at_once)
{
	struct hotpatch_patch *other = open_bundle("two");
	struct hotpatch_patch *patch = open_bundle("at_once");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	ck_assert_int_eq(version_of(&holder), 6);
	expect_state(patch, HOTPATCH_APPLYING);
	begin_revert(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	ck_assert_int_eq(version(), 0);
	expect_state(patch, HOTPATCH_REVERTING);
	begin_apply(patch);
	ck_assert_int_eq(version_of(&holder), 6);
	begin_revert(patch);
	holder_stop(&holder);
	await_unmapped(patch);
	expect_state(other, HOTPATCH_LOADED);
	hotpatch_patch_close(patch);
	hotpatch_patch_close(other);
}
END_TEST

/* ---- Deadlines ---- */

START_TEST(missed_deadline_reverses_the_transition)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	struct hotpatch_patch_info info;
	struct hotpatch_error why;
	struct holder holder;

	needs_proc();
	holder_start(&holder);
	holder_run(&holder, name_thread, "the holder");
	ck_assert_int_eq(apply_with(patch, HOTPATCH_REVERSE, 0), HOTPATCH_OK);
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_DRAINED,
					     PATIENCE_MS, &why),
			 HOTPATCH_E_STALLED);
	expect_words(why, "the holder", "reversed");
	/* The holder's view is from before the patch. */
	await_unmapped(patch);
	ck_assert_int_eq(version(), 0);
	ck_assert_int_eq(version_of(&holder), 0);
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.status, HOTPATCH_E_STALLED);
	expect_events(since, "staged one\ndetoured one\nadvanced one\n"
			     "stalled one\nturned one\ndrained one\n"
			     "settled one\nreverted one\nunmapped one\n");
	ck_assert(strstr(find_event(since, HOTPATCH_PHASE_STALLED).object,
			 "the holder"));
	holder_stop(&holder);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(missed_deadline_may_be_waited_beyond)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	struct holder holder;

	holder_start(&holder);
	ck_assert_int_eq(apply_with(patch, HOTPATCH_WAIT, 0), HOTPATCH_OK);
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED,
					  4 * DEADLINE_MS, &err));
	find_event(since, HOTPATCH_PHASE_STALLED);
	expect_state(patch, HOTPATCH_APPLYING);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	remove_patch(patch);
}
END_TEST

START_TEST(missed_deadline_may_force_the_transition)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	struct hotpatch_process_info process;
	struct hotpatch_patch_info info;
	struct holder holder;

	holder_start(&holder);
	ck_assert_int_eq(apply_with(patch, HOTPATCH_FORCE, 0), HOTPATCH_OK);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	expect_events(since, "staged one\ndetoured one\nadvanced one\n"
			     "stalled one\nforced one\nsettled one\n"
			     "active one\n");
	ck_assert_int_eq(version_of(&holder), 1);
	hotpatch_process_info(&process);
	ck_assert(process.forced);
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.status, HOTPATCH_E_STALLED);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

START_TEST(code_that_was_forced_out_is_kept_for_good)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = DEADLINE_MS,
		.policy = HOTPATCH_FORCE,
	};
	struct hotpatch_patch *patch = apply_bundle("one");
	struct hotpatch_error why;
	struct holder holder;

	needs_proc();
	holder_start(&holder);
	expect_ok(hotpatch_patch_revert(patch, &options, &err));
	await_drained(patch);
	holder_stop(&holder);
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
					     PATIENCE_MS, &why),
			 HOTPATCH_E_RETAINED);
	expect_words(why, "one", "forced");
	expect_state(patch, HOTPATCH_RETAINED);
	ck_assert_uint_eq(count_copies(), 1);
	ck_assert_int_eq(version(), 0);
	hotpatch_patch_close(patch);
	remove_patch(apply_bundle("two"));
}
END_TEST

START_TEST(deadline_that_is_met_does_nothing)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();

	ck_assert_int_eq(apply_with(patch, HOTPATCH_REVERSE, 0), HOTPATCH_OK);
	await_drained(patch);
	expect_status(HOTPATCH_E_STATE,
		      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
					  2 * DEADLINE_MS, &err));
	expect_state(patch, HOTPATCH_ACTIVE);
	expect_events(since, "staged one\ndetoured one\nadvanced one\n"
			     "drained one\nsettled one\nactive one\n");
	remove_patch(patch);
}
END_TEST

/* ---- Callers that may not ---- */

START_TEST(caller_inside_a_section_changes_nothing)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct hotpatch_patch *other = NULL;
	uint64_t since = events_now();

	hotpatch_enter();
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_apply(patch, NULL, &err));
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_revert(patch, NULL, &err));
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &err));
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_open(bundle_path("two"), NULL, &other,
					  &err));
	ck_assert_uint_eq(hotpatch_poll(), 0);
	ck_assert_int_eq(version(), 0);
	hotpatch_leave();
	expect_events(since, "");
	expect_state(patch, HOTPATCH_LOADED);
	apply(patch);
	remove_patch(patch);
}
END_TEST

static struct hotpatch_patch *wanted_by_constructor;
static unsigned int constructor_calls;

void called_by_constructor(void)
{
	struct hotpatch_patch *patch = wanted_by_constructor;

	constructor_calls++;
	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_apply(patch, NULL, &err));
	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_revert(patch, NULL, &err));
	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &err));
	ck_assert_uint_eq(hotpatch_poll(), 0);
}

START_TEST(caller_inside_a_constructor_changes_nothing)
{
	struct hotpatch_patch *patch;

	wanted_by_constructor = open_bundle("one");
	patch = open_bundle("caller");
	/* The rehearsal ran it too, in another process. */
	ck_assert_uint_eq(constructor_calls, 1);
	expect_state(wanted_by_constructor, HOTPATCH_LOADED);
	expect_state(patch, HOTPATCH_LOADED);
	apply(wanted_by_constructor);
	remove_patch(wanted_by_constructor);
	hotpatch_patch_close(patch);
}
END_TEST

/* ---- Callers that wait their turn ---- */

START_TEST(second_caller_is_refused_while_a_transition_is_open)
{
	struct hotpatch_patch *first = open_bundle("one");
	struct hotpatch_patch *second = open_bundle("two");
	struct holder holder;

	holder_start(&holder);
	begin_apply(first);
	ck_assert_int_eq(apply_with(second, HOTPATCH_WAIT, 0), HOTPATCH_E_BUSY);
	ck_assert_int_eq(apply_with(second, HOTPATCH_WAIT, 20),
			 HOTPATCH_E_BUSY);
	expect_state(second, HOTPATCH_LOADED);
	holder_stop(&holder);
	ck_assert_int_eq(apply_with(second, HOTPATCH_WAIT, 0), HOTPATCH_OK);
	await_drained(second);
	expect_state(first, HOTPATCH_ACTIVE);
	ck_assert_int_eq(version(), 2);
	remove_patch(second);
	ck_assert_int_eq(version(), 1);
	remove_patch(first);
}
END_TEST

static sem_t about_to_wait;

static void *apply_in_turn(void *patch)
{
	sem_post(&about_to_wait);
	return (void *)(intptr_t)apply_with(patch, HOTPATCH_WAIT, PATIENCE_MS);
}

START_TEST(second_caller_gets_its_turn_when_the_first_is_through)
{
	struct hotpatch_patch *first = open_bundle("one");
	struct hotpatch_patch *second = open_bundle("two");
	struct holder holder;
	pthread_t thread;
	void *status;

	sem_init(&about_to_wait, 0, 0);
	holder_start(&holder);
	begin_apply(first);
	pthread_create(&thread, NULL, apply_in_turn, second);
	await_semaphore(&about_to_wait);
	expect_state(second, HOTPATCH_LOADED);
	holder_stop(&holder);
	pthread_join(thread, &status);
	ck_assert_int_eq((int)(intptr_t)status, HOTPATCH_OK);
	await_drained(second);
	ck_assert_int_eq(version(), 2);
	remove_patch(first);
	remove_patch(second);
}
END_TEST

static void *come_and_go(void *name)
{
	const struct hotpatch_apply_options patient = {
		.size = sizeof(patient),
		.turn_ms = PATIENCE_MS,
	};
	struct hotpatch_patch *patch;
	char path[512];
	int i;

	/* A task at rest, which the other one need not catch asleep. */
	hotpatch_enter();
	hotpatch_leave();
	snprintf(path, sizeof(path), "%s/%s.so", HOTPATCH_TEST_BUNDLES,
		 (const char *)name);
	for (i = 0; i < 50; i++) {
		expect_ok(hotpatch_patch_open(path, NULL, &patch, &err));
		expect_ok(hotpatch_patch_apply(patch, &patient, &err));
		await_drained(patch);
		expect_ok(hotpatch_patch_revert(patch, &patient, &err));
		await_unmapped(patch);
		hotpatch_patch_close(patch);
	}
	return NULL;
}

START_TEST(callers_on_two_threads_are_served_one_after_the_other)
{
	static char names[2][4] = {"one", "two"};
	struct workers workers;
	pthread_t threads[2];
	int i;

	needs_proc();
	workers_start(&workers, 2, saw_mixture);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, come_and_go, names[i]);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(workers_stop(&workers), 0);
	ck_assert_int_eq(version(), 0);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		others_move_at_once_while_one_thread_stays,
		working_threads_move_while_one_thread_stays,
		sleeper_in_an_old_section_is_named,
		sleeper_in_an_old_function_is_named_with_it,
		sleeper_in_a_patch_is_named_with_it,
		every_thread_in_the_way_is_counted,
		immediate_patch_is_turned_round_for_all_at_once,
		missed_deadline_reverses_the_transition,
		missed_deadline_may_be_waited_beyond,
		missed_deadline_may_force_the_transition,
		code_that_was_forced_out_is_kept_for_good,
		deadline_that_is_met_does_nothing,
		caller_inside_a_section_changes_nothing,
		caller_inside_a_constructor_changes_nothing,
		second_caller_is_refused_while_a_transition_is_open,
		second_caller_gets_its_turn_when_the_first_is_through,
		callers_on_two_threads_are_served_one_after_the_other,
	};

	return run_tests("stalls", tests, sizeof(tests) / sizeof(tests[0]));
}
