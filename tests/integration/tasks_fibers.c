/* SPDX-License-Identifier: MIT */
/*
 * Fibers: a view that goes with its fiber from thread to thread.
 */
#include "versions.h"

#include <sys/mman.h>
#include <ucontext.h>

#define STACK_SIZE ((size_t)1 << 20)

/* One fiber, run by whichever thread resumes it. */
struct fiber {
	struct hotpatch_task *task;
	ucontext_t context;
	ucontext_t scheduler;
	char *stack;
	int versions[2];
};

static struct fiber fiber;

static void yield_to_scheduler(void)
{
	swapcontext(&fiber.context, &fiber.scheduler);
}

static void run_fiber(void)
{
	for (;;) {
		hotpatch_enter();
		fiber.versions[0] = version();
		yield_to_scheduler();
		fiber.versions[1] = version();
		hotpatch_leave();
		yield_to_scheduler();
	}
}

static void fiber_create(void)
{
	struct hotpatch_task_options options = {
		.size = sizeof(options),
		.name = "the fiber",
		.stack_size = STACK_SIZE,
	};

	fiber.stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	options.stack = fiber.stack;
	fiber.task = hotpatch_task_create(&options);
	ck_assert_ptr_nonnull(fiber.task);
	getcontext(&fiber.context);
	fiber.context.uc_stack.ss_sp = fiber.stack;
	fiber.context.uc_stack.ss_size = STACK_SIZE;
	makecontext(&fiber.context, run_fiber, 0);
}

static void *resume(void *unused)
{
	(void)unused;
	hotpatch_task_switch(fiber.task);
	swapcontext(&fiber.scheduler, &fiber.context);
	hotpatch_task_switch(NULL);
	return NULL;
}

static void resume_on_a_new_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, resume, NULL);
	pthread_join(thread, NULL);
}

START_TEST(fiber_takes_its_view_from_thread_to_thread)
{
	struct hotpatch_patch *patch = open_bundle("one");

	fiber_create();
	resume_on_a_new_thread();
	ck_assert_int_eq(fiber.versions[0], 0);
	begin_apply(patch);
	expect_open(patch);
	ck_assert_int_eq(version(), 1);
	resume_on_a_new_thread();
	ck_assert_int_eq(fiber.versions[1], 0);
	await_drained(patch);
	resume_on_a_new_thread();
	ck_assert_int_eq(fiber.versions[0], 1);
	resume_on_a_new_thread();
	hotpatch_task_destroy(fiber.task);
	remove_patch(patch);
}
END_TEST

START_TEST(suspended_fiber_is_named_as_being_in_the_way)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct hotpatch_blocker blocker;

	fiber_create();
	resume(NULL);
	begin_apply(patch);
	ck_assert_uint_eq(hotpatch_blocker_list(&blocker, 1), 1);
	ck_assert_str_eq(blocker.name, "the fiber");
	ck_assert_int_eq(blocker.thread, 0);
	ck_assert_str_ne(blocker.advice, "");
	resume(NULL);
	ck_assert_uint_eq(hotpatch_blocker_list(&blocker, 1), 0);
	await_drained(patch);
	hotpatch_task_destroy(fiber.task);
	remove_patch(patch);
}
END_TEST

/* The thread's own view and that of its fiber are two. */
START_TEST(thread_moves_while_its_fiber_stays)
{
	struct hotpatch_patch *patch = open_bundle("one");

	fiber_create();
	resume(NULL);
	begin_apply(patch);
	hotpatch_enter();
	ck_assert_int_eq(version(), 1);
	resume(NULL);
	ck_assert_int_eq(fiber.versions[1], 0);
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	await_drained(patch);
	hotpatch_task_destroy(fiber.task);
	remove_patch(patch);
}
END_TEST

START_TEST(section_of_a_destroyed_fiber_is_over)
{
	struct hotpatch_patch *patch = open_bundle("one");

	fiber_create();
	resume(NULL);
	begin_apply(patch);
	expect_open(patch);
	hotpatch_task_destroy(fiber.task);
	hotpatch_task_destroy(NULL);
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

int main(void)
{
#if UNDER_TSAN
	/* The sanitizer has to be told of fibers in its own way. */
	return 77;
#endif
	const TTest *const tests[] = {
		fiber_takes_its_view_from_thread_to_thread,
		suspended_fiber_is_named_as_being_in_the_way,
		thread_moves_while_its_fiber_stays,
		section_of_a_destroyed_fiber_is_over,
	};

	return run_tests("fibers", tests, sizeof(tests) / sizeof(tests[0]));
}
