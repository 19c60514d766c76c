/* SPDX-License-Identifier: MIT */
/*
 * Handing events on to the host: in order, to one at a time, with no lock of
 * the engine held, and to each process its own.
 */
#include "../../lib/observe/watch.h"

#include "../../lib/atomic.h"
#include "../../lib/engine.h"
#include "../../lib/event.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 4
#define WRITES 2000

static struct hotpatch_watch *watch;
static uint64_t got;
static uint64_t lost;
static uint64_t last;
static bool busy;
static bool out_of_turn;
static enum hotpatch_status answer;

static void note(const struct hotpatch_event *event, void *argument)
{
	if (busy || event->sequence <= last)
		out_of_turn = true;
	busy = true;
	lost += event->sequence - last - 1;
	last = event->sequence;
	got++;
	if (argument)
		strcpy(argument, event->patch);
	busy = false;
}

static void set_up(void)
{
	got = lost = last = 0;
	answer = HOTPATCH_OK;
}

static void start(void (*callback)(const struct hotpatch_event *, void *),
		  void *argument)
{
	ck_assert_int_eq(hotpatch_watch_start(callback, argument, &watch, NULL),
			 HOTPATCH_OK);
}

static void happen(const char *patch)
{
	hp_event(HOTPATCH_PHASE_ACTIVE, HOTPATCH_OK, patch, NULL);
}

START_TEST(poll_hands_on_what_happened_since_the_start)
{
	char name[64] = "";

	happen("before");
	start(note, name);
	ck_assert_uint_eq(got, 0);
	happen("after");
	hotpatch_poll();
	ck_assert_uint_eq(got, 1);
	ck_assert_str_eq(name, "after");
	hotpatch_poll();
	ck_assert_uint_eq(got, 1);
}
END_TEST

START_TEST(stopped_watch_hears_nothing)
{
	start(note, NULL);
	hotpatch_watch_stop(watch);
	happen("x");
	hotpatch_poll();
	ck_assert_uint_eq(got, 0);
	hotpatch_watch_stop(NULL);
}
END_TEST

/* It would wait for itself for ever if a lock were held. */
static void look_around(const struct hotpatch_event *event, void *argument)
{
	struct hotpatch_process_info info;
	struct hotpatch_patch *patch;

	(void)event;
	(void)argument;
	hotpatch_process_info(&info);
	hp_engine_lock();
	hp_engine_unlock();
	answer = hotpatch_patch_open("/none", NULL, &patch, NULL);
	ck_assert_int_eq(hotpatch_watch_start(note, NULL, &watch, NULL),
			 HOTPATCH_E_IN_CALLBACK);
	ck_assert_uint_eq(hotpatch_poll(), 0);
	got++;
}

START_TEST(callback_may_look_and_change_nothing)
{
	start(look_around, NULL);
	happen("x");
	hotpatch_poll();
	ck_assert_uint_eq(got, 1);
	ck_assert_int_eq(answer, HOTPATCH_E_IN_CALLBACK);
}
END_TEST

static void stop_myself(const struct hotpatch_event *event, void *argument)
{
	(void)event;
	(void)argument;
	got++;
	hotpatch_watch_stop(watch);
}

START_TEST(callback_may_stop_itself)
{
	start(stop_myself, NULL);
	happen("x");
	happen("y");
	hotpatch_poll();
	hotpatch_poll();
	ck_assert_uint_eq(got, 1);
}
END_TEST

static void *write_events(void *argument)
{
	int i;

	(void)argument;
	for (i = 0; i < WRITES; i++) {
		happen("x");
		hp_watch_deliver();
	}
	return NULL;
}

START_TEST(many_threads_hand_on_in_order_and_one_at_a_time)
{
	pthread_t threads[WRITERS];
	uint64_t before = hp_event_last();
	int i;

	start(note, NULL);
	last = before;
	for (i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_events,
						NULL),
				 0);
	for (i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert(!out_of_turn);
	/* Nobody hands on any more, and still nothing is left behind. */
	ck_assert_uint_eq(got + lost, hp_event_last() - before);
	ck_assert_uint_eq(last, hp_event_last());
	hotpatch_watch_stop(watch);
}
END_TEST

START_TEST(overrun_shows_as_a_gap)
{
	int i;

	start(note, NULL);
	last = hp_event_last();
	for (i = 0; i < 3000; i++)
		happen("x");
	hotpatch_poll();
	ck_assert_uint_eq(got, 1024);
	ck_assert_uint_eq(lost, 3000 - 1024);
}
END_TEST

START_TEST(child_hears_of_its_own_events_alone)
{
	int status;
	pid_t child;

	start(note, NULL);
	happen("the parent's");
	child = fork();
	if (!child) {
		happen("the child's");
		hp_watch_deliver();
		_exit(got == 1 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	hotpatch_poll();
	ck_assert_uint_eq(got, 1);
}
END_TEST

START_TEST(bell_rings_for_each_event_and_is_the_childs_own)
{
	uint64_t count = 0;
	int fd = hp_event_announce();
	int status;
	pid_t child;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(hp_event_announce(), fd);
	happen("x");
	happen("y");
	ck_assert_int_eq(read(fd, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, 2);
	child = fork();
	if (!child) {
		happen("the child's");
		_exit(read(hp_event_bell(), &count, sizeof(count)) ==
					      sizeof(count) &&
				      count == 1 ?
			      0 :
			      1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(fd, &count, sizeof(count)), -1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("watch");
	TCase *tests = tcase_create("watch");

	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, poll_hands_on_what_happened_since_the_start);
	tcase_add_test(tests, stopped_watch_hears_nothing);
	tcase_add_test(tests, callback_may_look_and_change_nothing);
	tcase_add_test(tests, callback_may_stop_itself);
	tcase_add_test(tests, many_threads_hand_on_in_order_and_one_at_a_time);
	tcase_add_test(tests, overrun_shows_as_a_gap);
	tcase_add_test(tests, child_hears_of_its_own_events_alone);
	tcase_add_test(tests, bell_rings_for_each_event_and_is_the_childs_own);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(make_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
