/* SPDX-License-Identifier: MIT */
/*
 * Task records: the arena, who is in the way of a view, and what a safe point
 * finds on its stack.
 */
#include "../../lib/held.h"
#include "../../lib/scan.h"
#include "../../lib/task.h"

#include "../../lib/engine.h"
#include "../sanitized.h"
#include "../single_step.h"

#include <hotpatch/patch.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIBERS 1000
#define THREADS 200
#define CREATORS 8
#define CREATED 300

/* No word of a stack is likely to be in the eight bytes behind it. */
#define NOWHERE ((uintptr_t)0x5a5a5a5a5a5a1000)

/* From the linker: the program's own code. */
extern const char __executable_start[];
extern const char etext[];

static struct hotpatch_task *fibers[FIBERS];

static void advance(void)
{
	hp_engine_lock();
	hp_view_advance();
	hp_engine_unlock();
	ck_assert(hp_barrier());
}

static struct hp_task_sight look_at(const struct hotpatch_task *wanted)
{
	struct hp_task_sight sight;
	size_t i;

	for (i = 0; hp_scan_look(i, &sight); i++)
		if (sight.where == (uintptr_t)wanted->where &&
		    sight.frame == (uintptr_t)wanted->frame && sight.seen)
			return sight;
	ck_abort_msg("the record is not to be found");
}

/* The record of this thread. */
static size_t own_index(void)
{
	struct hp_task_sight sight;
	size_t i;

	for (i = 0; hp_scan_look(i, &sight); i++)
		if (sight.kind == HP_TASK_THREAD && sight.thread == gettid())
			return i;
	ck_abort_msg("this thread has no record");
}

START_TEST(record_is_made_by_the_first_enter)
{
	ck_assert_uint_eq(hp_scan_count(), 0);
	hotpatch_leave();
	hotpatch_safe_point();
	ck_assert_uint_eq(hp_scan_count(), 0);
	hotpatch_enter();
	ck_assert_uint_eq(hp_scan_count(), 1);
	hotpatch_leave();
	hotpatch_enter();
	hotpatch_leave();
	ck_assert_uint_eq(hp_scan_count(), 1);
}
END_TEST

START_TEST(section_lasts_until_the_outermost_leave)
{
	ck_assert(!hp_task_in_section());
	hotpatch_enter();
	hotpatch_enter();
	ck_assert(hp_task_in_section());
	hotpatch_leave();
	ck_assert(hp_task_in_section());
	hotpatch_leave();
	ck_assert(!hp_task_in_section());
}
END_TEST

START_TEST(leave_without_an_enter_is_ignored)
{
	int i;

	hotpatch_leave();
	hotpatch_enter();
	hotpatch_leave();
	for (i = 0; i < 100; i++)
		hotpatch_leave();
	ck_assert(!hp_task_in_section());
	hotpatch_enter();
	ck_assert(hp_task_in_section());
	hotpatch_leave();
	ck_assert(!hp_task_in_section());
}
END_TEST

START_TEST(range_has_the_views_from_first_up_to_its_limit)
{
	const struct hp_task_range any = {5, 9, HP_ANY_PARITY};
	const struct hp_task_range even = {5, 9, 0};
	const struct hp_task_range odd = {5, 9, 1};
	const struct hp_task_range none = {5, 5, HP_ANY_PARITY};
	uint64_t seen;

	for (seen = 0; seen < 12; seen++) {
		bool inside = seen >= 5 && seen < 9;

		ck_assert_int_eq(hp_scan_ranges_have(&any, 1, seen), inside);
		ck_assert_int_eq(hp_scan_ranges_have(&even, 1, seen),
				 inside && (seen == 5 || seen == 7));
		ck_assert_int_eq(hp_scan_ranges_have(&odd, 1, seen),
				 inside && (seen == 6 || seen == 8));
		ck_assert(!hp_scan_ranges_have(&none, 1, seen));
	}
}
END_TEST

START_TEST(oldest_view_is_that_of_the_oldest_open_section)
{
	uint64_t began;

	ck_assert_uint_eq(hp_scan_oldest(), UINT64_MAX);
	hotpatch_enter();
	began = hotpatch_generation;
	ck_assert_uint_eq(hp_scan_oldest(), began);
	advance();
	advance();
	ck_assert_uint_eq(hp_scan_oldest(), began);
	hotpatch_safe_point();
	ck_assert_uint_eq(hp_scan_oldest(), began + 2);
	hotpatch_leave();
	ck_assert_uint_eq(hp_scan_oldest(), UINT64_MAX);
}
END_TEST

START_TEST(nobody_is_in_a_range_once_the_section_is_over)
{
	struct hp_task_range ranges[2] = {{1, 1, HP_ANY_PARITY},
					  {1, 0, HP_ANY_PARITY}};

	hotpatch_enter();
	advance();
	ranges[1].limit = hotpatch_generation;
	ck_assert(hp_scan_none_in(ranges, 1));
	ck_assert(!hp_scan_none_in(ranges, 2));
	hotpatch_leave();
	ck_assert(hp_scan_none_in(ranges, 2));
	hotpatch_enter();
	ck_assert(hp_scan_none_in(ranges, 2));
	hotpatch_leave();
}
END_TEST

START_TEST(safe_point_in_a_nested_section_changes_nothing)
{
	uint64_t began;

	hotpatch_enter();
	began = hotpatch_generation;
	hotpatch_enter();
	advance();
	hotpatch_safe_point();
	ck_assert_uint_eq(hp_scan_oldest(), began);
	hotpatch_leave();
	hotpatch_safe_point();
	ck_assert_uint_eq(hp_scan_oldest(), began + 1);
	hotpatch_leave();
}
END_TEST

START_TEST(adopting_for_a_task_moves_it_unless_it_moved_itself)
{
	uint64_t began;
	size_t index;

	hotpatch_enter();
	began = hotpatch_generation;
	index = own_index();
	advance();
	ck_assert(!hp_scan_adopt_for(index, began + 1, began + 7));
	ck_assert_uint_eq(hp_scan_oldest(), began);
	ck_assert(hp_scan_adopt_for(index, began, began + 1));
	ck_assert_uint_eq(hp_scan_oldest(), began + 1);
	hotpatch_leave();
}
END_TEST

static size_t create_fibers(void)
{
	size_t i;

	for (i = 0; i < FIBERS; i++) {
		fibers[i] = hotpatch_task_create(NULL);
		ck_assert_ptr_nonnull(fibers[i]);
		ck_assert_uint_eq((uintptr_t)fibers[i] % 64, 0);
	}
	return hp_scan_count();
}

static void destroy_fibers(void)
{
	size_t i;

	for (i = 0; i < FIBERS; i++)
		hotpatch_task_destroy(fibers[i]);
}

static int compare_pointers(const void *a, const void *b)
{
	uintptr_t left = *(const uintptr_t *)a;
	uintptr_t right = *(const uintptr_t *)b;

	return (left > right) - (left < right);
}

static void expect_distinct(struct hotpatch_task **tasks, size_t count)
{
	size_t i;

	qsort(tasks, count, sizeof(tasks[0]), compare_pointers);
	for (i = 1; i < count; i++)
		ck_assert_uint_ge((uintptr_t)tasks[i] - (uintptr_t)tasks[i - 1],
				  64);
}

START_TEST(arena_grows_to_several_chunks_and_is_used_again)
{
	struct hp_task_sight sight;
	size_t records = 0;

	ck_assert_uint_eq(create_fibers(), FIBERS);
	expect_distinct(fibers, FIBERS);
	destroy_fibers();
	ck_assert_uint_eq(hp_scan_count(), 0);
	while (hp_scan_look(records, &sight))
		records++;
	ck_assert_uint_eq(create_fibers(), FIBERS);
	ck_assert(!hp_scan_look(records, &sight));
	destroy_fibers();
}
END_TEST

START_TEST(scan_finds_a_section_in_the_last_chunk)
{
	create_fibers();
	hotpatch_task_switch(fibers[FIBERS - 1]);
	hotpatch_enter();
	hotpatch_task_switch(NULL);
	ck_assert(!hp_task_in_section());
	ck_assert_uint_eq(hp_scan_oldest(), hotpatch_generation);
	hotpatch_task_destroy(fibers[FIBERS - 1]);
	ck_assert_uint_eq(hp_scan_oldest(), UINT64_MAX);
}
END_TEST

static pthread_barrier_t barrier;

static void *enter_and_wait(void *unused)
{
	(void)unused;
	hotpatch_enter();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	hotpatch_leave();
	return NULL;
}

START_TEST(every_thread_has_a_record_as_long_as_it_lives)
{
	pthread_t threads[THREADS];
	struct hp_task_sight sight;
	size_t inside = 0;
	size_t i;

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						enter_and_wait, NULL),
				 0);
	pthread_barrier_wait(&barrier);
	ck_assert_uint_eq(hp_scan_count(), THREADS);
	for (i = 0; hp_scan_look(i, &sight); i++)
		inside += sight.kind == HP_TASK_THREAD && sight.seen != 0;
	ck_assert_uint_eq(inside, THREADS);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(hp_scan_count(), 0);
}
END_TEST

static void *create_many(void *argument)
{
	struct hotpatch_task **made = argument;
	size_t i;

	pthread_barrier_wait(&barrier);
	for (i = 0; i < CREATED; i++)
		made[i] = hotpatch_task_create(NULL);
	return NULL;
}

START_TEST(threads_that_create_at_once_get_records_of_their_own)
{
	static struct hotpatch_task *made[CREATORS * CREATED];
	pthread_t threads[CREATORS];
	size_t i;

	pthread_barrier_init(&barrier, NULL, CREATORS);
	for (i = 0; i < CREATORS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, create_many,
						&made[i * CREATED]),
				 0);
	for (i = 0; i < CREATORS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(hp_scan_count(), CREATORS * CREATED);
	expect_distinct(made, CREATORS * CREATED);
}
END_TEST

START_TEST(fiber_is_known_by_its_name_and_stack)
{
	static char stack[4096];
	const struct hotpatch_task_options options = {
		.size = sizeof(options),
		.name = "a name that is far too long",
		.stack = stack,
		.stack_size = sizeof(stack),
	};
	struct hotpatch_task *fiber = hotpatch_task_create(&options);
	struct hp_task_sight sight;

	hotpatch_task_switch(fiber);
	hotpatch_enter();
	sight = look_at(fiber);
	ck_assert_int_eq(sight.kind, HP_TASK_FIBER);
	ck_assert_int_eq(sight.thread, gettid());
	ck_assert_str_eq(sight.name, "a name that is ");
	ck_assert_uint_eq(sight.stack_stop, (uintptr_t)stack + sizeof(stack));
	hotpatch_task_switch(NULL);
	ck_assert_int_eq(look_at(fiber).thread, 0);
	hotpatch_task_destroy(fiber);
}
END_TEST

/* The sanitizer would wait for ever for a thread that ends behind its back. */
#if !UNDER_TSAN

static void *die_silently(void *unused)
{
	(void)unused;
	hotpatch_enter();
	/* The C library does not see it, so no key is destroyed. */
	syscall(SYS_exit, 0);
	return NULL;
}

START_TEST(record_of_a_dead_thread_is_given_back_once_asked)
{
	pthread_t thread;

	pthread_create(&thread, NULL, die_silently, NULL);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(hp_scan_count(), 1);
	ck_assert_uint_eq(hp_scan_oldest(), hotpatch_generation);
	hp_task_reclaim(0);
	ck_assert_uint_eq(hp_scan_count(), 0);
	ck_assert_uint_eq(hp_scan_oldest(), UINT64_MAX);
}
END_TEST

#endif

static jmp_buf out_of_section;

__attribute__((noinline)) static void enter_and_jump(void)
{
	volatile char room[256];

	room[0] = 0;
	hotpatch_enter();
	room[255] = room[0];
	longjmp(out_of_section, 1);
}

START_TEST(frame_that_was_left_is_healed_at_the_next_enter)
{
	uint64_t began = hotpatch_generation;

	if (setjmp(out_of_section) == 0)
		enter_and_jump();
	ck_assert(hp_task_in_section());
	advance();
	hotpatch_enter();
	ck_assert_uint_eq(hp_scan_oldest(), began + 1);
	hotpatch_leave();
	ck_assert(!hp_task_in_section());
	ck_assert_uint_eq(hp_scan_oldest(), UINT64_MAX);
}
END_TEST

/* As a signal handler that comes before the stacks are switched. */
START_TEST(frame_on_another_stack_than_the_fibers_was_not_left)
{
	static char stack[4096];
	const struct hotpatch_task_options options = {
		.size = sizeof(options),
		.stack = stack,
		.stack_size = sizeof(stack),
	};
	struct hotpatch_task *fiber = hotpatch_task_create(&options);

	hotpatch_task_switch(fiber);
	hotpatch_enter_slow(stack + 1024, NULL);
	hotpatch_enter();
	hotpatch_safe_point_slow(__builtin_frame_address(0));
	hotpatch_leave();
	ck_assert_uint_ne(fiber->seen, 0);
	hotpatch_leave();
	ck_assert_uint_eq(fiber->seen, 0);
	hotpatch_task_switch(NULL);
	hotpatch_task_destroy(fiber);
}
END_TEST

START_TEST(frame_that_was_left_is_healed_at_the_next_safe_point)
{
	uint64_t began = hotpatch_generation;

	hotpatch_enter();
	hotpatch_leave();
	if (setjmp(out_of_section) == 0)
		enter_and_jump();
	advance();
	hotpatch_safe_point();
	ck_assert_uint_eq(hp_scan_oldest(), began + 1);
	hotpatch_leave();
	ck_assert(!hp_task_in_section());
}
END_TEST

START_TEST(image_table_has_room_for_its_limit_and_no_more)
{
	int i;

	for (i = 0; i < HP_HELD_LIMIT; i++)
		ck_assert_int_eq(hp_held_add(1 + (uintptr_t)i * 16,
					     9 + (uintptr_t)i * 16),
				 i);
	ck_assert_int_eq(hp_held_add(1, 2), -1);
	hp_held_remove(77);
	ck_assert_int_eq(hp_held_add(1, 2), 77);
	for (i = 0; i < HP_HELD_LIMIT; i++)
		hp_held_remove(i);
	ck_assert_int_eq(hp_held_add(1, 2), 0);
}
END_TEST

__attribute__((noinline)) static void move_on(void)
{
	advance();
	hotpatch_safe_point();
	/* Keeps the call above from being the last, which has no frame. */
	__asm__ volatile("");
}

__attribute__((noinline)) static uint64_t held_after_moving(void)
{
	uint64_t held;

	hotpatch_enter();
	move_on();
	held = look_at(hotpatch_self).held;
	hotpatch_leave();
	return held;
}

START_TEST(safe_point_remembers_which_images_it_returns_to)
{
	struct hp_task_sight sight;

	ck_assert_int_eq(hp_held_add(NOWHERE, NOWHERE + 8), 0);
	ck_assert_uint_eq(held_after_moving(), 0);
	ck_assert_int_eq(hp_held_add((uintptr_t)__executable_start,
				     (uintptr_t)etext),
			 1);
	ck_assert_uint_eq(held_after_moving(), 2);
	/* The section is over, and so is what it held. */
	ck_assert(hp_scan_look(own_index(), &sight));
	ck_assert_uint_eq(sight.held, 0);
	hp_held_remove(1);
	ck_assert_uint_eq(held_after_moving(), 0);
}
END_TEST

START_TEST(next_safe_point_forgets_what_was_returned_from)
{
	ck_assert_int_eq(hp_held_add((uintptr_t)__executable_start,
				     (uintptr_t)etext),
			 0);
	hotpatch_enter();
	move_on();
	ck_assert_uint_eq(look_at(hotpatch_self).held, 1);
	hp_held_remove(0);
	ck_assert_int_eq(hp_held_add(NOWHERE, NOWHERE + 8), 0);
	move_on();
	ck_assert_uint_eq(look_at(hotpatch_self).held, 0);
	hotpatch_leave();
}
END_TEST

#ifdef HAVE_SINGLE_STEP

static uint64_t newest_in_handler;
static uint64_t seen_in_handler;

/* A new generation comes, and a section in a handler right after it. */
static void advance_and_enter(void)
{
	advance();
	hotpatch_enter();
	newest_in_handler = hotpatch_generation;
	seen_in_handler = hp_scan_oldest();
	hotpatch_leave();
}

/* Gives back the view that the stepped code came to. */
static uint64_t step_through(void (*code)(void), unsigned long at)
{
	step_prepare(advance_and_enter, at);
	newest_in_handler = 0;
	seen_in_handler = 0;
	step_on();
	code();
	step_off();
	return hp_scan_oldest();
}

static void just_enter(void)
{
	hotpatch_enter();
}

static void just_pass_a_safe_point(void)
{
	hotpatch_safe_point();
}

/* What a handler sees in the middle of enter is either the newest view or the
 * one that the interrupted section will have. */
START_TEST(handler_in_enter_has_a_view_that_is_confirmed)
{
	unsigned long at = 0;
	uint64_t seen;

	hotpatch_enter();
	hotpatch_leave();
	do {
		seen = step_through(just_enter, at += STEP_STRIDE);
		ck_assert(seen_in_handler == newest_in_handler ||
			  seen_in_handler == seen);
		hotpatch_leave();
		ck_assert(!hp_task_in_section());
	} while (step_was_reached());
	ck_assert_uint_gt(at, 10);
}
END_TEST

/* In the middle of a safe point it may also be the one from before. */
START_TEST(handler_in_a_safe_point_has_a_view_that_is_confirmed)
{
	unsigned long at = 0;
	uint64_t before;
	uint64_t seen;

	do {
		hotpatch_enter();
		before = hotpatch_generation;
		advance();
		seen = step_through(just_pass_a_safe_point, at += STEP_STRIDE);
		ck_assert_uint_gt(seen, before);
		ck_assert(seen_in_handler == newest_in_handler ||
			  seen_in_handler == before || seen_in_handler == seen);
		hotpatch_leave();
		ck_assert(!hp_task_in_section());
	} while (step_was_reached());
	ck_assert_uint_gt(at, 10);
}
END_TEST

#endif

static void add_tests(TCase *all)
{
	tcase_add_test(all, record_is_made_by_the_first_enter);
	tcase_add_test(all, section_lasts_until_the_outermost_leave);
	tcase_add_test(all, leave_without_an_enter_is_ignored);
	tcase_add_test(all, range_has_the_views_from_first_up_to_its_limit);
	tcase_add_test(all, oldest_view_is_that_of_the_oldest_open_section);
	tcase_add_test(all, nobody_is_in_a_range_once_the_section_is_over);
	tcase_add_test(all, safe_point_in_a_nested_section_changes_nothing);
	tcase_add_test(all,
		       adopting_for_a_task_moves_it_unless_it_moved_itself);
	tcase_add_test(all, arena_grows_to_several_chunks_and_is_used_again);
	tcase_add_test(all, scan_finds_a_section_in_the_last_chunk);
	tcase_add_test(all, every_thread_has_a_record_as_long_as_it_lives);
	tcase_add_test(all,
		       threads_that_create_at_once_get_records_of_their_own);
	tcase_add_test(all, fiber_is_known_by_its_name_and_stack);
#if !UNDER_TSAN
	tcase_add_test(all, record_of_a_dead_thread_is_given_back_once_asked);
#endif
	tcase_add_test(all, frame_that_was_left_is_healed_at_the_next_enter);
	tcase_add_test(all,
		       frame_that_was_left_is_healed_at_the_next_safe_point);
	tcase_add_test(all,
		       frame_on_another_stack_than_the_fibers_was_not_left);
	tcase_add_test(all, image_table_has_room_for_its_limit_and_no_more);
	tcase_add_test(all, safe_point_remembers_which_images_it_returns_to);
	tcase_add_test(all, next_safe_point_forgets_what_was_returned_from);
#ifdef HAVE_SINGLE_STEP
	tcase_add_test(all, handler_in_enter_has_a_view_that_is_confirmed);
	tcase_add_test(all,
		       handler_in_a_safe_point_has_a_view_that_is_confirmed);
#endif
}

int main(void)
{
	Suite *suite = suite_create("task");
	TCase *all = tcase_create("task");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	add_tests(all);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
