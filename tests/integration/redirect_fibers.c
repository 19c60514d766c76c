/* SPDX-License-Identifier: MIT */
/*
 * Fibers at rest inside of a function that nobody prepared: whoever calls such
 * a one need not be in a section, so its old code stays as long as a fiber may
 * return to it.
 */
#include "support.h"

#include <sys/mman.h>
#include <ucontext.h>

#define STACK_SIZE ((size_t)256 << 10)
#define USED ((size_t)32 << 10)
#define TRIES 30

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

int plain(int x);
void wait_inside(void);

ALONE int plain(int x)
{
	volatile int copy = x;

	return copy + 1;
}

static int (*volatile call_plain)(int x) = plain;

/* One fiber, run by whichever thread resumes it. */
static struct fiber {
	struct hotpatch_task *task;
	ucontext_t context;
	ucontext_t scheduler;
	char *stack;
	int result;
	int pipe[2]; /* if it is open, the fiber sleeps with its thread */
	sem_t inside;
} fiber;

static void yield_to_scheduler(void)
{
	swapcontext(&fiber.context, &fiber.scheduler);
}

void wait_inside(void)
{
	char byte;

	if (!fiber.pipe[0]) {
		yield_to_scheduler();
		return;
	}
	sem_post(&fiber.inside);
	ck_assert_int_eq(read(fiber.pipe[0], &byte, 1), 1);
}

/* What calls before it left on the stack is no more. */
static ALONE void use_stack(void)
{
	char room[USED];

	memset(room, 0, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
}

/* The sanitizer leaves room around what a function writes to, so that what lay
 * there stays, and with it the code. */
#define FORGETS (!UNDER_ASAN)

/* It is in no old code any more. */
static void await_forgotten(struct hotpatch_patch *patch)
{
	if (!FORGETS)
		hotpatch_task_destroy(fiber.task);
	await_unmapped(patch);
	if (FORGETS)
		hotpatch_task_destroy(fiber.task);
}

static void run_fiber(void)
{
	fiber.result = call_plain(1);
	yield_to_scheduler();
	for (;;) {
		use_stack();
		yield_to_scheduler();
	}
}

static void fiber_create(bool with_stack)
{
	struct hotpatch_task_options options = {
		.size = sizeof(options),
		.name = "the fiber",
		.stack_size = STACK_SIZE,
	};

	fiber.stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(fiber.stack, MAP_FAILED);
	if (with_stack)
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

static void begin_revert_while_inside(struct hotpatch_patch *patch)
{
	begin_revert(patch);
	await_drained(patch);
	ck_assert_int_eq(fiber.result, 0);
}

/* However often it is tried. */
static void expect_mapped(const struct hotpatch_patch *patch, const char *who)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	struct hotpatch_patch_info info;
	int i;

	for (i = 0; i < TRIES; i++) {
		hotpatch_poll();
		ck_assert_uint_eq(count_copies(), 1);
		nanosleep(&pause, NULL);
	}
	hotpatch_patch_info(patch, &info);
	ck_assert_msg(strstr(info.reason, who) != NULL, "%s", info.reason);
}

START_TEST(fiber_that_waits_in_old_code_keeps_it)
{
	struct hotpatch_patch *patch = apply_bundle("waiting");

	fiber_create(true);
	resume(NULL);
	begin_revert_while_inside(patch);
	expect_mapped(patch, "the fiber");
	resume(NULL);
	ck_assert_int_eq(fiber.result, 102);
	resume(NULL);
	await_forgotten(patch);
}
END_TEST

START_TEST(fiber_of_an_unknown_stack_keeps_it)
{
	struct hotpatch_patch *patch = apply_bundle("waiting");

	fiber_create(false);
	resume(NULL);
	begin_revert_while_inside(patch);
	expect_mapped(patch, "the fiber");
	resume(NULL);
	ck_assert_int_eq(fiber.result, 102);
	resume(NULL);
	expect_mapped(patch, "the fiber");
	hotpatch_task_destroy(fiber.task);
	await_unmapped(patch);
}
END_TEST

START_TEST(fiber_that_sleeps_with_its_thread_keeps_it)
{
	struct hotpatch_patch *patch = apply_bundle("waiting");
	pthread_t thread;

	fiber_create(true);
	ck_assert_int_eq(pipe(fiber.pipe), 0);
	sem_init(&fiber.inside, 0, 0);
	pthread_create(&thread, NULL, resume, NULL);
	await_semaphore(&fiber.inside);
	begin_revert_while_inside(patch);
	expect_mapped(patch, "is in the old version");
	ck_assert_int_eq(write(fiber.pipe[1], "", 1), 1);
	pthread_join(thread, NULL);
	ck_assert_int_eq(fiber.result, 102);
	resume(NULL);
	await_forgotten(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fiber_that_waits_in_old_code_keeps_it,
		fiber_of_an_unknown_stack_keeps_it,
		fiber_that_sleeps_with_its_thread_keeps_it,
	};

	return run_tests("redirect_fibers", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
