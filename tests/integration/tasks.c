/* SPDX-License-Identifier: MIT */
/*
 * Threads as tasks: records that come with the first section and go with the
 * thread, sections that nest, jumps out of them, and ends inside them.
 */
#include "versions.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define STACK_SIZE ((size_t)1 << 20)

/* ---- Records ---- */

START_TEST(record_is_made_by_the_first_enter_only)
{
	hotpatch_leave();
	hotpatch_safe_point();
	ck_assert_uint_eq(count_tasks(), 0);
	hotpatch_enter();
	ck_assert_uint_eq(count_tasks(), 1);
	hotpatch_leave();
	hotpatch_enter();
	hotpatch_leave();
	ck_assert_uint_eq(count_tasks(), 1);
}
END_TEST

START_TEST(leave_without_an_enter_changes_nothing)
{
	struct hotpatch_patch *patch = open_bundle("one");
	int i;

	for (i = 0; i < 10; i++)
		hotpatch_leave();
	hotpatch_enter();
	hotpatch_leave();
	for (i = 0; i < 10; i++)
		hotpatch_leave();
	apply(patch);
	hotpatch_enter();
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	remove_patch(patch);
}
END_TEST

START_TEST(only_the_outermost_leave_ends_the_section)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	holder_start(&holder);
	holder_run(&holder, enter, NULL);
	holder_run(&holder, enter, NULL);
	begin_apply(patch);
	holder_run(&holder, leave, NULL);
	expect_open(patch);
	holder_run(&holder, leave, NULL);
	expect_open(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_run(&holder, leave, NULL);
	await_drained(patch);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

/* Every level has a section of its own inside that of its caller. */
static int descend(int depth)
{
	int seen;

	hotpatch_enter();
	hotpatch_safe_point();
	seen = depth ? descend(depth - 1) : version();
	hotpatch_safe_point();
	if (seen != version())
		seen = -1;
	hotpatch_leave();
	return seen;
}

static void store_descent(void *place)
{
	*(int *)place = descend(100);
}

START_TEST(recursion_keeps_the_view_of_its_outermost_section)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;
	int seen;

	holder_start(&holder);
	begin_apply(patch);
	holder_run(&holder, store_descent, &seen);
	ck_assert_int_eq(seen, 0);
	expect_open(patch);
	holder_move(&holder);
	holder_run(&holder, store_descent, &seen);
	ck_assert_int_eq(seen, 1);
	await_drained(patch);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

START_TEST(safe_point_in_a_nested_section_moves_nothing)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	holder_start(&holder);
	holder_run(&holder, enter, NULL);
	begin_apply(patch);
	holder_move(&holder);
	expect_open(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_run(&holder, leave, NULL);
	holder_move(&holder);
	await_drained(patch);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

/* ---- Jumps ---- */

static __thread jmp_buf out;

__attribute__((noinline)) static void enter_and_jump(void)
{
	volatile char room[512];

	room[0] = 0;
	hotpatch_enter();
	hotpatch_enter();
	room[511] = room[0];
	longjmp(out, 1);
}

static void jump_out_of_section(void *unused)
{
	(void)unused;
	hotpatch_leave();
	if (setjmp(out) == 0)
		enter_and_jump();
}

START_TEST(jump_out_of_a_section_is_healed_at_the_next_safe_point)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	struct holder holder;

	holder_start(&holder);
	holder_run(&holder, jump_out_of_section, NULL);
	begin_apply(patch);
	expect_open(patch);
	count_phase(since, HOTPATCH_PHASE_HEALED, 0);
	holder_move(&holder);
	await_drained(patch);
	count_phase(since, HOTPATCH_PHASE_HEALED, 1);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_run(&holder, leave, NULL);
	begin_revert(patch);
	await_drained(patch);
	holder_stop(&holder);
}
END_TEST

START_TEST(jump_out_of_a_section_is_healed_at_the_next_enter)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	struct holder holder;

	holder_start(&holder);
	holder_run(&holder, jump_out_of_section, NULL);
	begin_apply(patch);
	expect_open(patch);
	holder_run(&holder, enter, NULL);
	await_drained(patch);
	count_phase(since, HOTPATCH_PHASE_HEALED, 1);
	ck_assert_int_eq(version_of(&holder), 1);
	holder_run(&holder, leave, NULL);
	begin_revert(patch);
	await_drained(patch);
	holder_stop(&holder);
}
END_TEST

static sem_t told;
static sem_t done;
static int seen_in_handler;

/* In the middle of the thread's section, above all its frames. */
static void handle_above(int number)
{
	(void)number;
	hotpatch_enter();
	hotpatch_safe_point();
	seen_in_handler = version();
	hotpatch_leave();
}

/* The lower half of @argument is the stack, the upper one that of handlers. */
static void *keep_section_below_handlers(void *argument)
{
	stack_t stack = {.ss_size = STACK_SIZE};
	int seen;

	stack.ss_sp = (char *)argument + STACK_SIZE;
	sigaltstack(&stack, NULL);
	hotpatch_enter();
	sem_post(&done);
	await_semaphore(&told);
	raise(SIGUSR1);
	seen = version();
	hotpatch_leave();
	return (void *)(intptr_t)seen;
}

static pthread_t start_below_handlers(void)
{
	struct sigaction action;
	pthread_attr_t attributes;
	pthread_t thread;
	char *memory = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(&action, 0, sizeof(action));
	action.sa_handler = handle_above;
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &action, NULL);
	sem_init(&told, 0, 0);
	sem_init(&done, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory, STACK_SIZE);
	ck_assert_int_eq(pthread_create(&thread, &attributes,
					keep_section_below_handlers, memory),
			 0);
	await_semaphore(&done);
	return thread;
}

START_TEST(handler_on_a_higher_stack_is_no_jump)
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	pthread_t thread = start_below_handlers();
	void *seen;

	begin_apply(patch);
	sem_post(&told);
	pthread_join(thread, &seen);
	ck_assert_int_eq((int)(intptr_t)seen, 0);
	ck_assert_int_eq(seen_in_handler, 0);
	count_phase(since, HOTPATCH_PHASE_HEALED, 0);
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

/* ---- Threads that end ---- */

static void *end_by_return(void *unused)
{
	(void)unused;
	hotpatch_enter();
	hotpatch_enter();
	sem_post(&done);
	await_semaphore(&told);
	return NULL;
}

static void *end_by_pthread_exit(void *unused)
{
	end_by_return(unused);
	pthread_exit(NULL);
}

static void *end_by_cancellation(void *unused)
{
	end_by_return(unused);
	pthread_cancel(pthread_self());
	pthread_testcancel();
	return NULL;
}

static void *end_by_system_call(void *unused)
{
	end_by_return(unused);
	syscall(SYS_exit, 0);
	return NULL;
}

static void end_in_a_section(void *(*work)(void *))
{
	struct hotpatch_patch *patch = open_bundle("one");
	uint64_t since = events_now();
	pthread_t thread;

	sem_init(&told, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&thread, NULL, work, NULL);
	await_semaphore(&done);
	ck_assert_uint_eq(count_tasks(), 1);
	begin_apply(patch);
	expect_open(patch);
	sem_post(&told);
	pthread_join(thread, NULL);
	await_drained(patch);
	ck_assert_uint_eq(count_tasks(), 0);
	count_phase(since, HOTPATCH_PHASE_RECLAIMED,
		    work == end_by_system_call);
	remove_patch(patch);
}

START_TEST(thread_that_returns_inside_a_section_is_in_nobodys_way)
{
	end_in_a_section(end_by_return);
}
END_TEST

START_TEST(thread_that_exits_inside_a_section_is_in_nobodys_way)
{
	end_in_a_section(end_by_pthread_exit);
}
END_TEST

START_TEST(thread_that_is_cancelled_inside_a_section_is_in_nobodys_way)
{
	end_in_a_section(end_by_cancellation);
}
END_TEST

/* The sanitizer has no record of a thread that ends behind its back. */
#if !UNDER_TSAN
START_TEST(thread_that_vanishes_inside_a_section_is_reclaimed)
{
	end_in_a_section(end_by_system_call);
}
END_TEST
#endif

static pthread_key_t late_key;

/* Runs after the library's own destructor, in the next round. */
static void work_late(void *value)
{
	if (value == &late_key) {
		pthread_setspecific(late_key, &told);
		return;
	}
	hotpatch_enter();
	hotpatch_leave();
}

static void *end_with_late_work(void *unused)
{
	(void)unused;
	hotpatch_enter();
	hotpatch_leave();
	pthread_setspecific(late_key, &late_key);
	return NULL;
}

START_TEST(section_in_a_late_destructor_leaves_no_record)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_key_create(&late_key, work_late), 0);
	pthread_create(&thread, NULL, end_with_late_work, NULL);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(count_tasks(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		record_is_made_by_the_first_enter_only,
		leave_without_an_enter_changes_nothing,
		only_the_outermost_leave_ends_the_section,
		recursion_keeps_the_view_of_its_outermost_section,
		safe_point_in_a_nested_section_moves_nothing,
		jump_out_of_a_section_is_healed_at_the_next_safe_point,
		jump_out_of_a_section_is_healed_at_the_next_enter,
		handler_on_a_higher_stack_is_no_jump,
		thread_that_returns_inside_a_section_is_in_nobodys_way,
		thread_that_exits_inside_a_section_is_in_nobodys_way,
		thread_that_is_cancelled_inside_a_section_is_in_nobodys_way,
#if !UNDER_TSAN
		thread_that_vanishes_inside_a_section_is_reclaimed,
#endif
		section_in_a_late_destructor_leaves_no_record,
	};

	return run_tests("tasks", tests, sizeof(tests) / sizeof(tests[0]));
}
