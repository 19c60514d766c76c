/* SPDX-License-Identifier: MIT */
/*
 * The ring of events: order, cursor, overrun, and writers that meet.
 */
#include "../../lib/event.h"

#include "../../lib/atomic.h"
#include "../sanitized.h"
#include "../single_step.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 1024
#define WRITERS 4
#define WRITES 20000

static struct hotpatch_event events[2 * KEPT];
static uint64_t start; /* the newest event before the test's own */
static uint32_t writers_left;

/* The library itself may have written: its tables came. */
static void set_up(void)
{
	size_t count;

	while ((count = hotpatch_event_read(start, events, 2 * KEPT)) > 0)
		start = events[count - 1].sequence;
}

static void write_some(unsigned int count)
{
	char text[16];
	unsigned int i;

	for (i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%u", i);
		hp_event(HOTPATCH_PHASE_SETTLED, HOTPATCH_OK, text, text);
	}
}

START_TEST(event_comes_back_with_what_it_was_written_with)
{
	uint64_t before_ns = hp_now_ns();

	hp_event(HOTPATCH_PHASE_STALLED, HOTPATCH_E_STALLED, "fix", "worker");
	ck_assert_uint_eq(hotpatch_event_read(start, events, 9), 1);
	ck_assert_uint_eq(events[0].sequence, start + 1);
	ck_assert_uint_ge(events[0].time_ns, before_ns);
	ck_assert_uint_le(events[0].time_ns, hp_now_ns());
	ck_assert_int_eq(events[0].phase, HOTPATCH_PHASE_STALLED);
	ck_assert_int_eq(events[0].status, HOTPATCH_E_STALLED);
	ck_assert_str_eq(events[0].patch, "fix");
	ck_assert_str_eq(events[0].object, "worker");
}
END_TEST

START_TEST(event_without_patch_and_object_has_empty_texts)
{
	hp_event(HOTPATCH_PHASE_HEALED, HOTPATCH_OK, NULL, NULL);
	ck_assert_uint_eq(hotpatch_event_read(start, events, 9), 1);
	ck_assert_str_eq(events[0].patch, "");
	ck_assert_str_eq(events[0].object, "");
}
END_TEST

START_TEST(event_about_a_thread_names_its_number)
{
	hp_event_thread(HOTPATCH_PHASE_HEALED, 0);
	hp_event_thread(HOTPATCH_PHASE_HEALED, 1234567890);
	ck_assert_uint_eq(hotpatch_event_read(start, events, 9), 2);
	ck_assert_str_eq(events[0].object, "thread 0");
	ck_assert_str_eq(events[1].object, "thread 1234567890");
}
END_TEST

START_TEST(cursor_gives_each_event_once_and_in_order)
{
	uint64_t cursor = start;
	unsigned int expected = 0;
	char text[16];
	size_t count;
	size_t i;

	write_some(100);
	while ((count = hotpatch_event_read(cursor, events, 7)) > 0) {
		for (i = 0; i < count; i++, expected++) {
			snprintf(text, sizeof(text), "%u", expected);
			ck_assert_str_eq(events[i].patch, text);
			ck_assert_uint_eq(events[i].sequence, ++cursor);
		}
	}
	ck_assert_uint_eq(expected, 100);
	ck_assert_uint_eq(hotpatch_event_read(cursor + 5, events, 7), 0);
}
END_TEST

START_TEST(overrun_keeps_the_newest_and_shows_the_gap)
{
	size_t count;

	write_some(3 * KEPT);
	count = hotpatch_event_read(start, events, 2 * KEPT);
	ck_assert_uint_eq(count, KEPT);
	ck_assert_uint_eq(events[0].sequence, start + 2 * KEPT + 1);
	ck_assert_uint_eq(events[count - 1].sequence, start + 3 * KEPT);
	ck_assert_str_eq(events[0].patch, "2048");
	ck_assert_str_eq(events[count - 1].patch, "3071");
}
END_TEST

/* Both texts of one event are the same, and different from those of others. */
static void *write_much(void *argument)
{
	const char *name = argument;
	char text[48];
	int i;

	for (i = 0; i < WRITES; i++) {
		snprintf(text, sizeof(text), "%s-%d-%s-%d-%s-%d", name, i, name,
			 i, name, i);
		hp_event(HOTPATCH_PHASE_SETTLED, HOTPATCH_OK, text, text);
	}
	hp_add_fenced(&writers_left, (uint32_t)-1); /* read by the test */
	return NULL;
}

static uint64_t check_some(uint64_t cursor)
{
	size_t count = hotpatch_event_read(cursor, events, 2 * KEPT);
	size_t i;

	for (i = 0; i < count; i++) {
		/* An assertion that holds is a write to a file in Check. */
		if (events[i].sequence <= cursor ||
		    events[i].phase != HOTPATCH_PHASE_SETTLED ||
		    strcmp(events[i].patch, events[i].object) != 0)
			ck_abort_msg("event %llu is %s about %s and %s",
				     (unsigned long long)events[i].sequence,
				     hotpatch_phase_name(events[i].phase),
				     events[i].patch, events[i].object);
		cursor = events[i].sequence;
	}
	return cursor;
}

START_TEST(events_of_many_writers_are_whole)
{
	static char names[WRITERS][8] = {"a", "bb", "ccc", "dddd"};
	pthread_t threads[WRITERS];
	uint64_t cursor = start;
	int i;

	writers_left = WRITERS;
	for (i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_much, names[i]);
	while (hp_load_fenced(&writers_left)) /* see write_much() */
		cursor = check_some(cursor);
	for (i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	cursor = check_some(cursor);
	ck_assert_uint_gt(cursor, start + WRITERS * WRITES - KEPT);
	ck_assert_uint_le(cursor, start + WRITERS * WRITES);
}
END_TEST

#ifdef HAVE_SINGLE_STEP

static unsigned long overtaken_at;

/* Goes all round the ring, and from then on looks at the newest event. */
static void overtake(void)
{
	if (step_count < overtaken_at)
		return;
	if (step_count == overtaken_at)
		write_some(KEPT);
	if (step_count == overtaken_at)
		start = check_some(start) - 1;
	else
		check_some(start);
}

/* A signal handler overtakes its own thread, which is writing an event. */
START_TEST(writer_that_is_overtaken_spoils_no_event)
{
	overtaken_at = 1 - STEP_STRIDE;
	do {
		overtaken_at += STEP_STRIDE;
		step_prepare(overtake, 0);
		step_on();
		hp_event(HOTPATCH_PHASE_SETTLED, HOTPATCH_OK, "outer", "outer");
		step_off();
		start = check_some(start);
	} while (step_count >= overtaken_at);
	ck_assert_uint_gt(overtaken_at, 100);
}
END_TEST
#endif

#define COUNT(name, text) +1
#define PHASES (0 HOTPATCH_PHASE_MAP(COUNT))

START_TEST(every_phase_has_a_name_of_its_own)
{
	int i;
	int k;

	for (i = 0; i < PHASES; i++)
		for (k = 0; k < i; k++)
			ck_assert_str_ne(
				hotpatch_phase_name((enum hotpatch_phase)i),
				hotpatch_phase_name((enum hotpatch_phase)k));
	ck_assert_str_eq(hotpatch_phase_name((enum hotpatch_phase)PHASES),
			 "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *all = tcase_create("event");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, set_up, NULL);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, event_comes_back_with_what_it_was_written_with);
	tcase_add_test(all, event_without_patch_and_object_has_empty_texts);
	tcase_add_test(all, event_about_a_thread_names_its_number);
	tcase_add_test(all, cursor_gives_each_event_once_and_in_order);
	tcase_add_test(all, overrun_keeps_the_newest_and_shows_the_gap);
	tcase_add_test(all, events_of_many_writers_are_whole);
#ifdef HAVE_SINGLE_STEP
	tcase_add_test(all, writer_that_is_overtaken_spoils_no_event);
#endif
	tcase_add_test(all, every_phase_has_a_name_of_its_own);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
