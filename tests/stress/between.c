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

/* Who waits sleeps until it is woken, and does not look by itself. */
static __thread bool is_patient __attribute__((tls_model("initial-exec")));

uint64_t hp_step_pause(uint64_t pause_ns)
{
	return is_patient ? PATIENCE_MS * 4000000ull : pause_ns;
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

/* ---- A handler comes between a safe point's announcement and its second look.
 *      The view that is announced was left meanwhile. ---- */

static sem_t reached;
static sem_t go_on;
static sem_t settled;
static int first_seen = -1;
static int second_seen = -1;

static void call_before_and_after_settling(int number)
{
	(void)number;
	hotpatch_enter();
	first_seen = first_version();
	sem_post(&reached);
	await_semaphore(&settled);
	second_seen = second_version();
	hotpatch_leave();
}

static void interrupt_itself(void)
{
	raise(SIGUSR1);
}

static void hesitate(void)
{
	sem_post(&reached);
	await_semaphore(&go_on);
	at_step(HP_STEP_ANNOUNCED, interrupt_itself);
}

static void pass_safe_point_late(void *unused)
{
	(void)unused;
	at_step(HP_STEP_VIEW_READ, hesitate);
	hotpatch_safe_point();
}

/* Nobody has the view that is left, as far as the scan could see. */
static void let_it_announce_that_view(void)
{
	sem_post(&go_on);
	await_semaphore(&reached);
}

START_TEST(handler_at_a_safe_point_does_not_rely_on_a_view_that_was_left)
{
	struct sigaction action = {.sa_handler =
					   call_before_and_after_settling};
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	sem_init(&reached, 0, 0);
	sem_init(&go_on, 0, 0);
	sem_init(&settled, 0, 0);
	holder_start(&holder);
	begin_apply(patch);
	holder.work = pass_safe_point_late;
	sem_post(&holder.told);
	await_semaphore(&reached);
	at_step(HP_STEP_SETTLE, let_it_announce_that_view);
	begin_revert(patch);
	sem_post(&settled);
	await_semaphore(&holder.done);
	ck_assert_int_eq(first_seen, second_seen);
	holder_stop(&holder);
	await(poll_until_closed(patch));
	hotpatch_patch_close(patch);
}
END_TEST

/* ---- The last task comes while the one before it has the lock ---- */

static struct holder last;

static void let_the_last_one_come(void)
{
	holder_move(&last);
}

static void pass_safe_point_before_the_last(void *unused)
{
	(void)unused;
	at_step(HP_STEP_LOOKED, let_the_last_one_come);
	hotpatch_safe_point();
}

START_TEST(tasks_that_come_together_do_not_both_miss_the_other)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder last_but_one;
	uint64_t before = hotpatch_generation;

	holder_start(&last);
	holder_start(&last_but_one);
	begin_apply(patch);
	holder_run(&last_but_one, pass_safe_point_before_the_last, NULL);
	/* Advanced and settled. Acquire pairs with hp_view_advance(); a look
	 * through the library would settle it. */
	ck_assert_uint_eq(hp_load_acquire(&hotpatch_generation), before + 2);
	expect_state(patch, HOTPATCH_ACTIVE);
	holder_stop(&last);
	holder_stop(&last_but_one);
	remove_patch(patch);
}
END_TEST

/* ---- A waiter falls asleep while somebody makes progress ---- */

static pthread_t waiter;
static sem_t waiter_done;
static int waiter_id;

static void hesitate_to_sleep(void)
{
	sem_post(&reached);
	await_semaphore(&go_on);
}

static void *wait_patiently(void *argument)
{
	struct hotpatch_patch *patch = argument;

	waiter_id = own_thread_id();
	is_patient = true;
	at_step(HP_STEP_WAIT, hesitate_to_sleep);
	expect_ok(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1, &err));
	sem_post(&waiter_done);
	return NULL;
}

/* Or wait for the lock, which has the caller. */
static void let_it_sleep(void)
{
	sem_post(&go_on);
	await(is_asleep(waiter_id));
}

static struct hotpatch_patch *waited_for;

/* The patch is being unmapped; the waiter has seen that it is mapped. */
static void let_it_begin_to_wait(void)
{
	ck_assert_int_eq(
		pthread_create(&waiter, NULL, wait_patiently, waited_for), 0);
	await_semaphore(&reached);
	at_step(HP_STEP_PROGRESS_BEFORE_WAITERS, let_it_sleep);
}

START_TEST(waiter_that_falls_asleep_meanwhile_is_woken)
{
	needs_proc();
	sem_init(&reached, 0, 0);
	sem_init(&go_on, 0, 0);
	sem_init(&waiter_done, 0, 0);
	waited_for = apply_bundle("one");
	begin_revert(waited_for);
	at_step(HP_STEP_PROVEN, let_it_begin_to_wait);
	await(poll_until_closed(waited_for));
	await_semaphore(&waiter_done);
	pthread_join(waiter, NULL);
	hotpatch_patch_close(waited_for);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		sleeper_is_not_moved_out_of_code_that_is_kept_for_it,
		handler_at_the_gate_keeps_the_code_that_it_is_in,
		handler_at_the_gate_is_seen_though_its_announcement_is_late,
		handler_at_a_safe_point_does_not_rely_on_a_view_that_was_left,
		tasks_that_come_together_do_not_both_miss_the_other,
		waiter_that_falls_asleep_meanwhile_is_woken,
	};

	return run_tests("between", tests, sizeof(tests) / sizeof(tests[0]));
}
