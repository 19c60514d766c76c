/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers with sections of their own, which interrupt enter, leave and
 * safe points at any instruction while patches come and go.
 */
#include "../single_step.h"
#include "versions.h"

#include <signal.h>
#include <sys/syscall.h>

#define STORM_PERIOD_NS 100000 /* 10 kHz */
#define STORM_CYCLES 60

static sem_t done;
static uint64_t handled;
static uint64_t mixed;

static void call_both(void)
{
	if (version() < 0)
		hp_add_relaxed(&mixed, 1); /* only the number counts */
}

static void handle_and_call(int number)
{
	int saved = errno;

	(void)number;
	hotpatch_enter();
	call_both();
	hotpatch_safe_point();
	call_both();
	hotpatch_leave();
	hp_add_relaxed(&handled, 1); /* likewise */
	errno = saved;
}

/* Signals the calling thread ten thousand times a second. */
static timer_t start_storm(void)
{
	const struct itimerspec period = {{0, STORM_PERIOD_NS},
					  {0, STORM_PERIOD_NS}};
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event._sigev_un._tid = (int)syscall(SYS_gettid);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &period, NULL), 0);
	return timer;
}

static uint32_t storm_over;

/* Sections, nested ones and safe points, all of them interrupted. */
static void *work_in_the_storm(void *unused)
{
	timer_t timer = start_storm();

	(void)unused;
	sem_post(&done);
	while (!hp_load_relaxed(&storm_over)) { /* a flag for itself */
		hotpatch_enter();
		call_both();
		hotpatch_safe_point();
		call_both();
		hotpatch_enter();
		hotpatch_safe_point();
		call_both();
		hotpatch_leave();
		hotpatch_leave();
	}
	timer_delete(timer);
	return NULL;
}

static void patches_come_and_go(unsigned int cycles)
{
	struct hotpatch_patch *patch;

	while (cycles-- > 0) {
		patch = open_bundle(cycles % 2 ? "one" : "two");
		apply(patch);
		remove_patch(patch);
	}
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = SA_RESTART;
	sigaction(number, &action, NULL);
}

START_TEST(handler_and_thread_have_one_view_each_in_a_storm)
{
	pthread_t threads[2];
	int i;

	handle(SIGUSR1, handle_and_call);
	sem_init(&done, 0, 0);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, work_in_the_storm, NULL);
	for (i = 0; i < 2; i++)
		await_semaphore(&done);
	patches_come_and_go(STORM_CYCLES);
	await(hp_load_relaxed(&handled) > 100); /* only the number counts */
	hp_store_relaxed(&storm_over, 1);	/* as above */
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(mixed, 0);
	ck_assert_uint_eq(count_tasks(), 2 - 2);
}
END_TEST

#ifdef HAVE_SINGLE_STEP

/* ---- Every instruction interrupted ---- */

/* The writer runs @writer_work when the stepping thread hands over to it. */
static sem_t handed_over;
static void (*volatile writer_work)(void);
static struct hotpatch_patch *stepped_patch;
static unsigned long change_at; /* the step at which the writer works */

static void *write_when_told(void *unused)
{
	(void)unused;
	for (;;) {
		await_semaphore(&handed_over);
		if (!writer_work)
			return NULL;
		writer_work();
		sem_post(&done);
	}
}

static void hand_over(void (*work)(void))
{
	writer_work = work;
	sem_post(&handed_over);
	if (work)
		await_semaphore(&done);
}

static void writer_applies(void)
{
	begin_apply(stepped_patch);
}

static void writer_turns(void)
{
	begin_revert(stepped_patch);
}

static void change_and_call(void)
{
	if (step_count == change_at)
		hand_over(writer_applies);
	if (step_count == change_at + 3)
		hand_over(writer_turns);
	handle_and_call(0);
}

static void step_through_sections(void)
{
	step_on();
	hotpatch_enter();
	call_both();
	hotpatch_safe_point();
	call_both();
	hotpatch_enter();
	hotpatch_leave();
	hotpatch_leave();
	step_off();
}

/* Applies before one instruction and reverts three later. */
static void step_with_change_at(unsigned long at)
{
	stepped_patch = open_bundle("one");
	change_at = at;
	step_prepare(change_and_call, 0);
	step_through_sections();
	ck_assert_uint_eq(mixed, 0);
	if (state_of(stepped_patch) != HOTPATCH_LOADED) {
		if (state_of(stepped_patch) != HOTPATCH_REVERTED &&
		    state_of(stepped_patch) != HOTPATCH_REVERTING &&
		    state_of(stepped_patch) != HOTPATCH_CLOSED)
			begin_revert(stepped_patch);
		await_unmapped(stepped_patch);
	}
	hotpatch_patch_close(stepped_patch);
}

START_TEST(handler_at_any_instruction_has_one_view)
{
	pthread_t writer;
	unsigned long at = 0;

	sem_init(&handed_over, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&writer, NULL, write_when_told, NULL);
	hotpatch_enter();
	hotpatch_leave();
	do
		step_with_change_at(at += STEP_STRIDE);
	while (step_count >= at);
	ck_assert_uint_gt(at, 50);
	ck_assert_uint_eq(count_tasks(), 1);
	hand_over(NULL);
	pthread_join(writer, NULL);
}
END_TEST

static void *step_through_first_enter(void *unused)
{
	(void)unused;
	step_on();
	hotpatch_enter();
	hotpatch_leave();
	step_off();
	return NULL;
}

static void enter_and_call(void)
{
	handle_and_call(0);
}

START_TEST(handler_in_the_first_enter_leaves_one_record)
{
	unsigned long at = 0;
	pthread_t thread;

	do {
		step_prepare(enter_and_call, at += STEP_STRIDE);
		pthread_create(&thread, NULL, step_through_first_enter, NULL);
		pthread_join(thread, NULL);
		ck_assert_msg(count_tasks() == 0,
			      "a record is left after a handler at step %lu",
			      at);
	} while (step_was_reached());
	ck_assert_uint_gt(at, 50);
}
END_TEST

#endif

int main(void)
{
	const TTest *const tests[] = {
		handler_and_thread_have_one_view_each_in_a_storm,
#ifdef HAVE_SINGLE_STEP
		handler_at_any_instruction_has_one_view,
		handler_in_the_first_enter_leaves_one_record,
#endif
	};

	return run_tests("signals", tests, sizeof(tests) / sizeof(tests[0]));
}
