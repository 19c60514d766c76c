/* SPDX-License-Identifier: MIT */
/*
 * Under fire: two threads call a function without a pause while its target is
 * switched, and while the jump at its entry is written and taken back. Each
 * call has to give what one of the two versions gives.
 *
 * HOTPATCH_TEST_SWITCHES and HOTPATCH_TEST_ROUNDS set how often, for long runs.
 */
#include "../../lib/atomic.h"
#include "../../lib/slot.h"
#include "../redirect_shapes.h"

#include <check.h>
#include <hotpatch/redirect.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALLERS 2
#define SIGNAL_PERIOD_NS 100000

struct fire {
	int (*function)(int x);
	pthread_barrier_t ready;
	bool stop;
	unsigned long wrong;
	unsigned long calls;
};

static int sleep_pipe[2];
static bool is_asleep;

static int replacement(int x)
{
	return x + 2;
}

static unsigned long number_of(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void *call(void *argument)
{
	struct fire *fire = argument;
	unsigned long wrong = 0;
	unsigned long calls = 0;
	int result;

	pthread_barrier_wait(&fire->ready);
	do {
		result = fire->function((int)(calls & 0xffff));
		result -= (int)(calls & 0xffff);
		wrong += result != 1 && result != 2;
		calls++;
		/* Relaxed: the barrier and the join order the rest. */
	} while (!hp_load_relaxed(&fire->stop));
	hp_add_fenced(&fire->wrong, wrong); /* read after the join */
	hp_add_fenced(&fire->calls, calls); /* read after the join */
	return NULL;
}

static void begin(struct fire *fire, const struct shape *shape,
		  pthread_t threads[CALLERS])
{
	size_t i;

	memset(fire, 0, sizeof(*fire));
	fire->function = shape->function;
	pthread_barrier_init(&fire->ready, NULL, CALLERS + 1);
	for (i = 0; i < CALLERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call, fire),
				 0);
	pthread_barrier_wait(&fire->ready);
}

static void end(struct fire *fire, const struct shape *shape,
		pthread_t threads[CALLERS])
{
	size_t i;

	hp_store_relaxed(&fire->stop, true); /* as above */
	for (i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&fire->ready);
	ck_assert_uint_gt(fire->calls, 0);
	ck_assert_msg(fire->wrong == 0, "%s: %lu of %lu calls gave neither",
		      shape->name, fire->wrong, fire->calls);
}

static void redirect(const struct shape *shape)
{
	const struct hotpatch_function_name name = {.name = shape->name};
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect(&name, 1, &err) == HOTPATCH_OK, "%s",
		      err.sentence);
}

static void release(const struct shape *shape)
{
	const struct hotpatch_function_name name = {.name = shape->name};
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect_release(&name, 1, &err) == HOTPATCH_OK,
		      "%s", err.sentence);
}

static struct hotpatch_slot *slot_of(const struct shape *shape)
{
	struct hotpatch_slot *slot = NULL;
	const struct hp_module *module;

	for (module = hp_modules; module && !slot; module = module->next)
		if (hp_slot_find(module, "", shape->name, &slot) != HOTPATCH_OK)
			slot = NULL;
	ck_assert_ptr_nonnull(slot);
	return slot;
}

static void point(struct hotpatch_slot *slot, bool replaced)
{
	void (*target)(void) = replaced ? (void (*)(void))replacement :
					  slot->original;

	/* Release: as hp_slot_settle(), whose partner is the jump. */
	hp_store_release(slot->target, target);
}

static void switch_often(const struct shape *shape, unsigned long count)
{
	struct hotpatch_slot *slot = slot_of(shape);
	unsigned long i;

	for (i = 0; i < count; i++)
		point(slot, i % 2 == 0);
	point(slot, false);
}

static void write_often(const struct shape *shape, unsigned long rounds)
{
	unsigned long i;

	for (i = 0; i < rounds; i++) {
		redirect(shape);
		switch_often(shape, 3);
		release(shape);
	}
}

START_TEST(switching_the_target_under_fire_never_mixes)
{
	const struct shape *shape = &shapes[_i];
	pthread_t threads[CALLERS];
	struct fire fire;

	redirect(shape);
	begin(&fire, shape, threads);
	switch_often(shape, number_of("HOTPATCH_TEST_SWITCHES", 50000));
	end(&fire, shape, threads);
}
END_TEST

START_TEST(writing_the_entry_under_fire_never_mixes)
{
	const struct shape *shape = &shapes[_i];
	pthread_t threads[CALLERS];
	struct fire fire;

	begin(&fire, shape, threads);
	write_often(shape, number_of("HOTPATCH_TEST_ROUNDS", 30));
	end(&fire, shape, threads);
}
END_TEST

static void ignore(int number)
{
	(void)number;
}

START_TEST(signals_at_ten_kilohertz_do_no_harm)
{
	struct sigaction action = {.sa_handler = ignore};
	struct itimerspec period = {
		.it_interval.tv_nsec = SIGNAL_PERIOD_NS,
		.it_value.tv_nsec = SIGNAL_PERIOD_NS,
	};
	const struct shape *shape = &shapes[_i];
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGUSR1};
	pthread_t threads[CALLERS];
	struct fire fire;
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	begin(&fire, shape, threads);
	ck_assert_int_eq(timer_settime(timer, 0, &period, NULL), 0);
	write_often(shape, number_of("HOTPATCH_TEST_ROUNDS", 10));
	timer_delete(timer);
	end(&fire, shape, threads);
}
END_TEST

START_TEST(threads_that_block_every_signal_come_to_no_harm)
{
	const struct shape *shape = &shapes[_i];
	pthread_t threads[CALLERS];
	sigset_t all;
	sigset_t before;
	struct fire fire;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	begin(&fire, shape, threads);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	write_often(shape, number_of("HOTPATCH_TEST_ROUNDS", 10));
	end(&fire, shape, threads);
}
END_TEST

/* Called by the first instruction of the function below. */
int redirect_fire_sleep(int x);
int redirect_fire_sleeper(int x);

__asm__(".pushsection .text\n"
	".globl redirect_fire_sleeper\n"
	".type redirect_fire_sleeper, @function\n"
	"redirect_fire_sleeper:\n"
	".cfi_startproc\n"
	"call 1f\n"
	"lea 1(%rax), %eax\n"
	"ret\n"
	".cfi_endproc\n"
	".size redirect_fire_sleeper, . - redirect_fire_sleeper\n"
	"1: sub $8, %rsp\n"
	"call redirect_fire_sleep\n"
	"add $8, %rsp\n"
	"ret\n"
	".popsection\n");

int redirect_fire_sleep(int x)
{
	char byte;

	hp_store_release(&is_asleep, true); /* the waiter's acquire */
	if (read(sleep_pipe[0], &byte, 1) != 1)
		return -1;
	return x;
}

static void *sleep_inside(void *argument)
{
	int *result = argument;

	*result = redirect_fire_sleeper(*result);
	return NULL;
}

static pthread_t send_to_sleep(int *x)
{
	pthread_t thread;

	hp_store_relaxed(&is_asleep, false); /* the thread is not there yet */
	ck_assert_int_eq(pthread_create(&thread, NULL, sleep_inside, x), 0);
	/* Acquire pairs with the release of the sleeper. */
	while (!hp_load_acquire(&is_asleep))
		sched_yield();
	return thread;
}

static void wake(pthread_t thread)
{
	ck_assert_int_eq(write(sleep_pipe[1], "", 1), 1);
	pthread_join(thread, NULL);
}

START_TEST(who_sleeps_in_a_call_of_the_first_instruction_returns)
{
	const struct shape shape = {.name = "redirect_fire_sleeper"};
	pthread_t before;
	pthread_t after;
	int first = 10;
	int second = 20;

	ck_assert_int_eq(pipe(sleep_pipe), 0);
	before = send_to_sleep(&first);
	redirect(&shape);
	after = send_to_sleep(&second); /* in the trampoline's call */
	point(slot_of(&shape), true);
	ck_assert_int_eq(redirect_fire_sleeper(1), 3);
	point(slot_of(&shape), false);
	release(&shape);
	wake(before);
	wake(after);
	ck_assert_int_eq(first + second, 32);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redirect_fire");
	TCase *tcase = tcase_create("redirect_fire");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, switching_the_target_under_fire_never_mixes,
			    0, SHAPE_COUNT);
	tcase_add_loop_test(tcase, writing_the_entry_under_fire_never_mixes, 0,
			    SHAPE_COUNT);
	tcase_add_loop_test(tcase, signals_at_ten_kilohertz_do_no_harm, 0,
			    SHAPE_COUNT);
	tcase_add_loop_test(tcase,
			    threads_that_block_every_signal_come_to_no_harm, 0,
			    SHAPE_COUNT);
	tcase_add_test(tcase,
		       who_sleeps_in_a_call_of_the_first_instruction_returns);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
