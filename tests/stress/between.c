/* SPDX-License-Identifier: MIT */
/*
 * What others do between two steps of the engine (lib/step.h). The torture
 * comes upon it by chance; here the engine's thread stops at the step until it
 * has happened.
 */
#include "../../lib/step.h"
#include "../integration/versions.h"

#include <signal.h>

HOTPATCH_FUNCTION(int, wait_for_byte, (int fd))
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		;
	return 0;
}

/* ---- The engine's thread stops at a step ---- */

static __thread enum hp_step awaited __attribute__((tls_model("initial-exec")));
static __thread void (*act)(void) __attribute__((tls_model("initial-exec")));

/* The first time that the caller comes to @step, it calls @act there. */
static void at_step(enum hp_step step, void (*action)(void))
{
	awaited = step;
	act = action;
}

void hp_step_pass(enum hp_step step)
{
	void (*action)(void) = act;

	if (!action || step != awaited)
		return;
	act = NULL;
	action();
}

void hp_step_dispatch(void)
{
}

/* Its announcements stay in the store buffer until a barrier. */
static __thread bool keeps_back __attribute__((tls_model("initial-exec")));
static uint64_t *kept_back; /* which one, or NULL */
static uint64_t kept_value;

void hp_step_store(uint64_t *place, uint64_t value)
{
	if (keeps_back) {
		kept_back = place;
		kept_value = value;
	} else {
		/* Relaxed: as outside of the torture. */
		hp_store_relaxed(place, value);
	}
}

static void bring_out(void)
{
	if (kept_back)
		hp_store_relaxed(kept_back, kept_value); /* as above */
	kept_back = NULL;
}

uint64_t hp_step_pause(uint64_t pause_ns)
{
	return pause_ns;
}

/* ---- A thread that sleeps in a bundle's function ---- */

static int first_pipe[2];
static int second_pipe[2];
static int sleeper; /* its thread id */
static uint32_t sleeps_first;
static uint32_t sleeps_in_function;
static int answer = -1;

static void wake(const int ends[2])
{
	ck_assert_int_eq(write(ends[1], "", 1), 1);
}

static void await_sleep(uint32_t *flag)
{
	/* Acquire pairs with the release just before it sleeps. */
	await(hp_load_acquire(flag));
	await(is_asleep(sleeper));
}

/* Until there is a byte in the second pipe. */
static void sleep_in_function(void)
{
	/* Pairs with await_sleep(). */
	hp_store_release(&sleeps_in_function, 1);
	answer = wait_for_byte(second_pipe[0]);
}

static void sleep_twice(void *unused)
{
	char byte;

	(void)unused;
	hp_store_release(&sleeps_first, 1); /* pairs with await_sleep() */
	while (read(first_pipe[0], &byte, 1) < 0)
		;
	sleep_in_function();
}

static void store_own_id(void *unused)
{
	(void)unused;
	sleeper = own_thread_id();
}

static void sleeper_start(struct holder *holder)
{
	ck_assert_int_eq(pipe(first_pipe), 0);
	ck_assert_int_eq(pipe(second_pipe), 0);
	holder_start(holder);
	holder_run(holder, store_own_id, NULL);
}

static void poll_often(void)
{
	int i;

	for (i = 0; i < 10; i++)
		hotpatch_poll();
}

/* ---- A sleeper wakes up while it is moved ---- */

static const struct hotpatch_apply_options adopting = {
	.size = sizeof(adopting),
	.deadline_ms = 50,
	.policy = HOTPATCH_REVERSE,
	.adopt_sleepers = true,
};

static void let_it_get_into_the_function(void)
{
	wake(first_pipe);
	await_sleep(&sleeps_in_function);
}

START_TEST(sleeper_is_not_moved_out_of_code_that_is_kept_for_it)
{
	struct hotpatch_patch *kept = apply_bundle("sleeping");
	struct hotpatch_patch *next = open_bundle("one");
	struct holder holder;
	uint64_t since;

	needs_proc();
	sleeper_start(&holder);
	holder.work = sleep_twice;
	sem_post(&holder.told);
	await_sleep(&sleeps_first);
	at_step(HP_STEP_ADOPT_FOR, let_it_get_into_the_function);
	expect_ok(hotpatch_patch_revert(kept, &adopting, &err));
	await_drained(kept);
	expect_state(kept, HOTPATCH_REVERTED);
	since = events_now();
	expect_ok(hotpatch_patch_apply(next, &adopting, &err));
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(next, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	count_phase(since, HOTPATCH_PHASE_ADOPTED, 0);
	poll_often();
	ck_assert_int_ne(state_of(kept), HOTPATCH_CLOSED);
	wake(second_pipe);
	await_semaphore(&holder.done);
	ck_assert_int_eq(answer, 1);
	holder_stop(&holder);
	await(poll_until_closed(kept));
	hotpatch_patch_close(kept);
	hotpatch_patch_close(next);
}
END_TEST

/* ---- A signal comes between the last look and the switch ---- */

static struct holder waiting;
static bool is_buffered;

static void handler(int number)
{
	(void)number;
	keeps_back = is_buffered;
	hotpatch_enter();
	keeps_back = false;
	sleep_in_function();
	hotpatch_leave();
}

static void interrupt_who_waits(void)
{
	pthread_kill(waiting.thread, SIGUSR1);
	await_sleep(&sleeps_in_function);
	at_step(HP_STEP_ALL_FENCED, bring_out);
}

/* The gate is closed. The next time that the lock is taken, all were at rest,
 * and no target has been stored. */
static void let_it_come_to_the_gate(void)
{
	at_step(HP_STEP_LOCKED, interrupt_who_waits);
	waiting.work = holder_pass_safe_point_;
	sem_post(&waiting.told);
}

static void revert_under_a_handler(void)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.rendezvous_ms = PATIENCE_MS,
	};
	struct sigaction action = {.sa_handler = handler};
	struct hotpatch_patch *patch = apply_bundle("meeting");

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	poll_often(); /* what the apply owes is no part of the revert */
	sleeper_start(&waiting);
	at_step(HP_STEP_ALL_FENCED, let_it_come_to_the_gate);
	expect_ok(hotpatch_patch_revert(patch, &options, &err));
	ck_assert(hp_load_relaxed(&sleeps_in_function)); /* for itself */
	poll_often();
	ck_assert_int_ne(state_of(patch), HOTPATCH_CLOSED);
	wake(second_pipe);
	await_semaphore(&waiting.done);
	ck_assert_int_eq(answer, 1);
	holder_stop(&waiting);
	await(poll_until_closed(patch));
	hotpatch_patch_close(patch);
}

START_TEST(handler_at_the_gate_keeps_the_code_that_it_is_in)
{
	needs_proc();
	revert_under_a_handler();
}
END_TEST

/* Who unmaps pays the barrier that the switch owes, before it looks. */
START_TEST(handler_at_the_gate_is_seen_though_its_announcement_is_late)
{
	needs_proc();
	is_buffered = true;
	revert_under_a_handler();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		sleeper_is_not_moved_out_of_code_that_is_kept_for_it,
		handler_at_the_gate_keeps_the_code_that_it_is_in,
		handler_at_the_gate_is_seen_though_its_announcement_is_late,
	};

	return run_tests("between", tests, sizeof(tests) / sizeof(tests[0]));
}
