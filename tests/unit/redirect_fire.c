/* SPDX-License-Identifier: MIT */
/*
 * Under fire: two threads call a function without a pause while its target is
 * switched, and while the jump at its entry is written and taken back. Each
 * call has to give what one of the two versions gives.
 *
 * HOTPATCH_TEST_SWITCHES and HOTPATCH_TEST_ROUNDS set how often, for long runs;
 * HOTPATCH_TEST_SHOW shows how many calls that were. CK_RUN_CASE chooses one of
 * the cases at the end.
 */
#include "../../lib/atomic.h"
#include "../../lib/slot.h"
#include "../redirect_shapes.h"

#include <check.h>
#include <hotpatch/redirect.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
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

/* Where a sleeper waits; -1 for a nap. */
static __thread int sleep_fd = -1;
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
	if (getenv("HOTPATCH_TEST_SHOW"))
		printf("%s: %lu calls\n", shape->name, fire->calls);
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

/* Does a jump begin behind the function's first instruction, too? */
static bool is_pair(const struct shape *shape)
{
	return ((const unsigned char *)shape->function)[shape->written] == 0xe9;
}

START_TEST(shapes_of_pairs_need_two_jumps)
{
	const char *const names[] = {"shape_pair_one", "shape_pair_two",
				     "shape_pair_branch", "shape_pair_call",
				     "shape_push_one"};
	size_t i;

	for (i = 0; i < 5; i++) {
		redirect(find_shape(names[i]));
		ck_assert_msg(is_pair(find_shape(names[i])) == (i < 4), "%s",
			      names[i]);
	}
}
END_TEST

START_TEST(nops_that_lead_nowhere_become_others_that_do_nothing)
{
	const struct shape *shape = find_shape("shape_nops");
	const unsigned char *bytes = (const unsigned char *)shape->function;
	pthread_t threads[CALLERS];
	struct fire fire;

	ck_assert(take_place_of_nops(shape));
	redirect(shape);
	ck_assert_int_ne(memcmp(bytes + 1, "\x90\x90\x90\x90", 4), 0);
	ck_assert_uint_eq(
		strspn((const char *)bytes + 1, "\x90\xf5\xf8\xf9\xfc"), 4);
	release(shape);
	ck_assert_mem_eq(bytes, "\x90\x90\x90\x90\x90", 5);
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

/* Called by the first or second instruction of the functions below. */
int redirect_fire_sleep(int x);
int redirect_fire_first(int x);
int redirect_fire_second(int x);

__asm__(".pushsection .text\n"
	".globl redirect_fire_first\n"
	".type redirect_fire_first, @function\n"
	"redirect_fire_first:\n"
	".cfi_startproc\n"
	"call 1f\n"
	"lea 1(%rax), %eax\n"
	"ret\n"
	".cfi_endproc\n"
	".size redirect_fire_first, . - redirect_fire_first\n"
	".globl redirect_fire_second\n"
	".type redirect_fire_second, @function\n"
	"redirect_fire_second:\n"
	".cfi_startproc\n"
	"push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	"call 2f\n"
	"lea 1(%rax), %eax\n"
	"pop %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	"ret\n"
	".cfi_endproc\n"
	".size redirect_fire_second, . - redirect_fire_second\n"
	"1: sub $16, %rsp\n"
	"call redirect_fire_sleep\n"
	"add $16, %rsp\n"
	"ret\n"
	"2: sub $8, %rsp\n"
	"call redirect_fire_sleep\n"
	"add $8, %rsp\n"
	"ret\n"
	".popsection\n");

static const struct shape sleepers[] = {
	{"redirect_fire_first", redirect_fire_first, 1, 5},
	{"redirect_fire_second", redirect_fire_second, 2, 1},
};

#define SLEEPER_COUNT (sizeof(sleepers) / sizeof(sleepers[0]))

int redirect_fire_sleep(int x)
{
	const struct timespec nap = {.tv_nsec = 1000};
	char byte;

	if (sleep_fd < 0) {
		nanosleep(&nap, NULL);
		return x;
	}
	hp_store_release(&is_asleep, true); /* the waiter's acquire */
	return read(sleep_fd, &byte, 1) == 1 ? x : -1;
}

/* A thread that sleeps inside of the call until it is woken through a pipe of
 * its own. */
struct sleeper {
	pthread_t thread;
	int (*function)(int x);
	int pipe[2];
	int result;
};

static void *sleep_inside(void *argument)
{
	struct sleeper *sleeper = argument;

	sleep_fd = sleeper->pipe[0];
	sleeper->result = sleeper->function(10);
	return NULL;
}

static void send_to_sleep(struct sleeper *sleeper, const struct shape *shape)
{
	sleeper->function = shape->function;
	ck_assert_int_eq(pipe(sleeper->pipe), 0);
	hp_store_relaxed(&is_asleep, false); /* the thread is not there yet */
	ck_assert_int_eq(pthread_create(&sleeper->thread, NULL, sleep_inside,
					sleeper),
			 0);
	/* Acquire pairs with the release of the sleeper. */
	while (!hp_load_acquire(&is_asleep))
		sched_yield();
}

static void wake(struct sleeper *sleeper)
{
	ck_assert_int_eq(write(sleeper->pipe[1], "", 1), 1);
	pthread_join(sleeper->thread, NULL);
	close(sleeper->pipe[0]);
	close(sleeper->pipe[1]);
	ck_assert_int_eq(sleeper->result, 11);
}

START_TEST(who_sleeps_in_a_call_that_is_moved_returns)
{
	const struct shape *shape = &sleepers[_i];
	struct sleeper before;
	struct sleeper during;

	send_to_sleep(&before, shape);
	redirect(shape);
	send_to_sleep(&during, shape); /* in the trampoline's call */
	point(slot_of(shape), true);
	ck_assert_int_eq(shape->function(1), 3);
	point(slot_of(shape), false);
	release(shape);
	wake(&before);
	wake(&during);
	ck_assert_int_eq(shape->function(1), 2);
}
END_TEST

START_TEST(writing_while_threads_sleep_in_the_call_does_no_harm)
{
	const struct shape *shape = &sleepers[_i];
	pthread_t threads[CALLERS];
	struct sleeper sleeper;
	struct fire fire;

	send_to_sleep(&sleeper, shape);
	begin(&fire, shape, threads);
	write_often(shape, number_of("HOTPATCH_TEST_ROUNDS", 30));
	end(&fire, shape, threads);
	wake(&sleeper);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test,
		     int turns)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 36000);
	tcase_add_loop_test(tcase, test, 0, turns);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("redirect_fire");
	SRunner *runner;
	int failed;

	add_case(suite, "switching",
		 switching_the_target_under_fire_never_mixes, SHAPE_COUNT);
	add_case(suite, "writing", writing_the_entry_under_fire_never_mixes,
		 SHAPE_COUNT);
	add_case(suite, "pairs", shapes_of_pairs_need_two_jumps, 1);
	add_case(suite, "nops",
		 nops_that_lead_nowhere_become_others_that_do_nothing, 1);
	add_case(suite, "signals", signals_at_ten_kilohertz_do_no_harm,
		 SHAPE_COUNT);
	add_case(suite, "blocked",
		 threads_that_block_every_signal_come_to_no_harm, SHAPE_COUNT);
	add_case(suite, "asleep", who_sleeps_in_a_call_that_is_moved_returns,
		 SLEEPER_COUNT);
	add_case(suite, "sleeping",
		 writing_while_threads_sleep_in_the_call_does_no_harm,
		 SLEEPER_COUNT);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
