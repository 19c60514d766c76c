/* SPDX-License-Identifier: MIT */
/*
 * What was behind redirected functions is given back when nobody can be in it,
 * and not before. HOTPATCH_TEST_CYCLES makes the long form.
 */
#include "../../lib/atomic.h"
#include "../../lib/stack.h"
#include "../redirect_shapes.h"
#include "../sanitized.h"
#include "../single_step.h"

#include <check.h>
#include <hotpatch/hotpatch.h>
#include <hotpatch/inventory.h>
#include <hotpatch/patch.h>
#include <hotpatch/redirect.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STEP_LIMIT 200
#define TRIES 3
#define PATIENCE_MS 20000
#define HEAP_SLACK 32768 /* what malloc() keeps for later counts as used */

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

/* Sleeps until somebody writes. */
int sleeps(int fd);
ALONE int sleeps(int fd)
{
	char byte = 0;

	return read(fd, &byte, 1) == 1 ? byte : -1;
}

static struct hotpatch_function_name names[SHAPE_COUNT + 1];
static size_t count;

static struct hotpatch_memory_info memory_now(void)
{
	struct hotpatch_memory_info info = {.size = sizeof(info)};

	ck_assert_int_eq(hotpatch_memory_info(&info), HOTPATCH_OK);
	return info;
}

static size_t number_of(const char *variable, size_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void redirect(void)
{
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect(names, count, &err) == HOTPATCH_OK,
		      "%s", err.sentence);
}

static void release(void)
{
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect_release(names, count, &err) ==
			      HOTPATCH_OK,
		      "%s", err.sentence);
}

/* A try is made now and then. */
static void poll_until_given_back(void)
{
	int ms;

	hotpatch_poll();
	for (ms = 0; memory_now().redirect_bytes; ms += 2) {
		ck_assert_int_lt(ms, PATIENCE_MS);
		pause_ms(2);
		hotpatch_poll();
	}
	ck_assert_uint_eq(memory_now().redirect_idle_bytes, 0);
}

static void demand_kept(void)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		hotpatch_poll();
		ck_assert_uint_gt(memory_now().redirect_idle_bytes, 0);
		pause_ms(2);
	}
}

/* The moved instruction of some may be a call, so what they had stays. */
static bool calls(const struct shape *shape)
{
	return strstr(shape->name, "_call") || strstr(shape->name, "call_");
}

static void name_all(void)
{
	size_t i;

	for (i = 0; i < SHAPE_COUNT; i++)
		if (!calls(&shapes[i]))
			names[count++].name = shapes[i].name;
	names[count++].name = "sleeps";
}

static void name_one(const char *name)
{
	names[0].name = name;
	count = 1;
}

/* ---- Whoever is in it ---- */

#ifdef HAVE_SINGLE_STEP

static bool given_back;

static void release_and_poll(void)
{
	release();
	hotpatch_poll();
	given_back = memory_now().redirect_bytes == 0;
}

START_TEST(whoever_is_interrupted_there_goes_on)
{
	const struct shape *shape = &shapes[_i];
	int (*volatile function)(int x) = shape->function;
	unsigned long at;
	int result;

	name_one(shape->name);
	for (at = 1; at < STEP_LIMIT; at++) {
		redirect();
		given_back = false;
		step_prepare(release_and_poll, at);
		step_on();
		result = function(41);
		step_off();
		ck_assert_int_eq(result, 42);
		ck_assert(!given_back);
		if (!step_was_reached())
			break;
		if (!calls(shape))
			poll_until_given_back();
	}
	ck_assert_uint_gt(at, 3);
	ck_assert_uint_lt(at, STEP_LIMIT);
}
END_TEST

#endif

START_TEST(what_calls_is_kept)
{
	name_one("shape_call_first");
	redirect();
	release();
	demand_kept();
}
END_TEST

/* A thread that is no task. */
struct stranger {
	pthread_t thread;
	int pipe[2];
	bool stop;
	uint32_t rounds;
};

static void *run_and_sleep(void *argument)
{
	struct stranger *stranger = argument;
	int (*volatile function)(int x) = shapes[0].function;
	char byte;

	/* Relaxed, both: they order nothing. */
	while (!hp_load_relaxed(&stranger->stop)) {
		function(1);
		hp_store_relaxed(&stranger->rounds, stranger->rounds + 1);
	}
	return read(stranger->pipe[0], &byte, 1) == 1 ? stranger : NULL;
}

static void wait_for_rounds(const uint32_t *rounds)
{
	uint32_t before = hp_load_relaxed(rounds); /* orders nothing */

	while (hp_load_relaxed(rounds) - before < 2) /* as above */
		sched_yield();
}

START_TEST(a_thread_that_runs_keeps_it_until_it_sleeps)
{
	struct stranger stranger = {.stop = false};

	ck_assert_int_eq(pipe(stranger.pipe), 0);
	name_one(shapes[0].name);
	redirect();
	ck_assert_int_eq(pthread_create(&stranger.thread, NULL, run_and_sleep,
					&stranger),
			 0);
	wait_for_rounds(&stranger.rounds);
	release();
	demand_kept();
	hp_store_relaxed(&stranger.stop, true); /* as above */
	poll_until_given_back();
	ck_assert_int_eq(write(stranger.pipe[1], "", 1), 1);
	pthread_join(stranger.thread, NULL);
}
END_TEST

START_TEST(what_is_used_again_is_not_given_back)
{
	size_t bytes;

	name_all();
	redirect();
	bytes = memory_now().redirect_bytes;
	release();
	redirect();
	hotpatch_poll();
	ck_assert_uint_eq(memory_now().redirect_bytes, bytes);
	ck_assert_uint_eq(memory_now().redirect_idle_bytes, 0);
	ck_assert_int_eq(shapes[0].function(41), 42);
	release();
	poll_until_given_back();
}
END_TEST

/* ---- For ever ---- */

/* Never sleeps, and is at rest now and then. */
struct runner {
	pthread_t thread;
	bool stop;
	uint32_t rounds;
	uint32_t wrong;
};

static void *run_through(void *argument)
{
	struct runner *runner = argument;
	int (*volatile function)(int x);
	size_t i;

	hotpatch_enter();
	/* Relaxed, all of them: they order nothing. */
	while (!hp_load_relaxed(&runner->stop)) {
		hotpatch_safe_point();
		for (i = 0; i < SHAPE_COUNT; i++) {
			function = shapes[i].function;
			runner->wrong += function(41) != 42;
		}
		hp_store_relaxed(&runner->rounds, runner->rounds + 1);
	}
	hotpatch_leave();
	return NULL;
}

static void *sleep_below(void *argument)
{
	int (*volatile function)(int fd) = sleeps;

	return (void *)(intptr_t)function(*(int *)argument);
}

static size_t count_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	size_t lines = 0;
	int byte;

	ck_assert_ptr_nonnull(file);
	while ((byte = fgetc(file)) != EOF)
		lines += byte == '\n';
	fclose(file);
	return lines;
}

struct usage {
	size_t mappings;
	size_t heap;
};

static struct usage usage_now(void)
{
	return (struct usage){count_mappings(), mallinfo2().uordblks};
}

static void cycle(const struct runner *runner)
{
	redirect();
	ck_assert_uint_gt(memory_now().redirect_bytes, 0);
	wait_for_rounds(&runner->rounds);
	release();
	poll_until_given_back();
}

START_TEST(memory_is_flat)
{
	size_t cycles = number_of("HOTPATCH_TEST_CYCLES", 60);
	struct runner runner = {.stop = false};
	struct usage before;
	struct usage after;
	pthread_t sleeper;
	void *woken;
	int fds[2];
	size_t i;

	name_all();
	redirect();
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(pthread_create(&sleeper, NULL, sleep_below, &fds[0]),
			 0);
	ck_assert_int_eq(
		pthread_create(&runner.thread, NULL, run_through, &runner), 0);
	for (i = 0; i < 5; i++)
		cycle(&runner);
	before = usage_now();
	for (i = 0; i < cycles; i++)
		cycle(&runner);
	after = usage_now();
	/* A sanitizer maps memory of its own as it goes. */
	if (!SANITIZED)
		ck_assert_uint_eq(after.mappings, before.mappings);
	ck_assert_uint_le(after.heap, before.heap + HEAP_SLACK);
	hp_store_relaxed(&runner.stop, true); /* as above */
	pthread_join(runner.thread, NULL);
	ck_assert_uint_eq(runner.wrong, 0);
	ck_assert_int_eq(write(fds[1], "\5", 1), 1);
	pthread_join(sleeper, &woken);
	ck_assert_int_eq((intptr_t)woken, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redirect_reclaim");
	TCase *tcase = tcase_create("redirect_reclaim");
	SRunner *runner;
	int failed;

	if (!hp_stack_works())
		return 77;
	tcase_set_timeout(tcase, getenv("HOTPATCH_TEST_CYCLES") ? 3600 : 120);
#ifdef HAVE_SINGLE_STEP
	tcase_add_loop_test(tcase, whoever_is_interrupted_there_goes_on, 0,
			    SHAPE_COUNT);
#endif
	tcase_add_test(tcase, what_calls_is_kept);
	tcase_add_test(tcase, a_thread_that_runs_keeps_it_until_it_sleeps);
	tcase_add_test(tcase, what_is_used_again_is_not_given_back);
	tcase_add_test(tcase, memory_is_flat);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
