/* SPDX-License-Identifier: MIT */
/*
 * Under fire: two threads call a function without a pause while its target is
 * switched, and while the jump at its entry is written and taken back. Each
 * call has to give what one of the two versions gives.
 *
 * HOTPATCH_TEST_SWITCHES and HOTPATCH_TEST_ROUNDS set how often, for long runs;
 * HOTPATCH_TEST_SHOW shows how many calls that were, and how long it took.
 * CK_RUN_CASE chooses one of the cases at the end.
 */
#include "../../lib/atomic.h"
#include "../../lib/slot.h"
#include "../redirect_shapes.h"
#include "../sanitized.h"

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

/* After so many of these each caller has to have made a call. An odd number, so
 * that they find the one function now and then the other. */
#define SWITCHES_AT_ONCE 5001
#define ROUNDS_AT_ONCE 1000

struct caller {
	struct fire *fire;
	pthread_t thread;
	pid_t id;
	unsigned long calls;
	unsigned long replaced; /* calls that the replacement answered */
	unsigned long signals;
	bool wrong; /* a call gave neither */
};

struct fire {
	const struct shape *shape;
	struct caller callers[CALLERS];
	pthread_barrier_t ready;
	struct timespec began;
	bool stop;
};

/* The calling thread's, where signals are counted. */
static __thread struct caller *self;

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

/* In the thread itself and in its handlers. */
static int call_once(struct caller *caller, int x)
{
	int result = caller->fire->shape->function(x) - x;

	if (result != 1 && result != 2)
		caller->wrong = true;
	return result;
}

static void *call(void *argument)
{
	struct caller *caller = argument;
	unsigned long calls = 0;
	unsigned long replaced = 0;

	self = caller;
	caller->id = gettid();
	pthread_barrier_wait(&caller->fire->ready);
	do {
		replaced += call_once(caller, (int)(calls & 0xffff)) == 2;
		calls++;
		hp_store_relaxed(&caller->calls, calls); /* progress alone */
		/* Relaxed: the barrier and the join order the rest. */
	} while (!hp_load_relaxed(&caller->fire->stop));
	caller->replaced = replaced;
	return NULL;
}

static void begin(struct fire *fire, const struct shape *shape)
{
	struct caller *caller;
	size_t i;

	memset(fire, 0, sizeof(*fire));
	fire->shape = shape;
	clock_gettime(CLOCK_MONOTONIC, &fire->began);
	pthread_barrier_init(&fire->ready, NULL, CALLERS + 1);
	for (i = 0; i < CALLERS; i++) {
		caller = &fire->callers[i];
		caller->fire = fire;
		ck_assert_int_eq(
			pthread_create(&caller->thread, NULL, call, caller), 0);
	}
	pthread_barrier_wait(&fire->ready);
}

/* However few processors there are, nobody switches alone. The first call may
 * have begun before. */
static void await_calls(struct fire *fire)
{
	unsigned long before[CALLERS];
	size_t i;

	sched_yield();
	for (i = 0; i < CALLERS; i++) /* progress alone */
		before[i] = hp_load_relaxed(&fire->callers[i].calls);
	for (i = 0; i < CALLERS; i++) /* likewise */
		while (hp_load_relaxed(&fire->callers[i].calls) < before[i] + 2)
			sched_yield();
}

static void show(const struct fire *fire)
{
	const struct caller *callers = fire->callers;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!getenv("HOTPATCH_TEST_SHOW"))
		return;
	printf("%s: %lu calls, %lu of them replaced, %lu signals, %.1f s\n",
	       fire->shape->name, callers[0].calls + callers[1].calls,
	       callers[0].replaced + callers[1].replaced,
	       callers[0].signals + callers[1].signals,
	       (double)(now.tv_sec - fire->began.tv_sec) +
		       (double)(now.tv_nsec - fire->began.tv_nsec) / 1e9);
	fflush(stdout);
}

static void end(struct fire *fire)
{
	const struct caller *caller;
	size_t i;

	hp_store_relaxed(&fire->stop, true); /* as above */
	for (i = 0; i < CALLERS; i++)
		pthread_join(fire->callers[i].thread, NULL);
	pthread_barrier_destroy(&fire->ready);
	show(fire);
	for (i = 0; i < CALLERS; i++) {
		caller = &fire->callers[i];
		ck_assert_uint_gt(caller->replaced, 0);
		ck_assert_msg(!caller->wrong, "%s: a call gave neither",
			      fire->shape->name);
	}
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

static void switch_often(struct fire *fire)
{
	unsigned long count =
		number_of("HOTPATCH_TEST_SWITCHES", SANITIZED ? 10002 : 50000);
	struct hotpatch_slot *slot = slot_of(fire->shape);
	unsigned long i;

	for (i = 0; i < count; i++) {
		point(slot, i % 2 == 0);
		if (i % SWITCHES_AT_ONCE == 0)
			await_calls(fire);
	}
	point(slot, false);
}

static void write_often(struct fire *fire, unsigned long otherwise)
{
	unsigned long rounds = number_of("HOTPATCH_TEST_ROUNDS",
					 SANITIZED ? otherwise / 3 : otherwise);
	const struct shape *shape = fire->shape;
	struct hotpatch_slot *slot;
	unsigned long i;

	for (i = 0; i < rounds; i++) {
		redirect(shape);
		slot = slot_of(shape);
		point(slot, true);
		if (i % ROUNDS_AT_ONCE == 0)
			await_calls(fire);
		point(slot, false);
		release(shape);
	}
}

START_TEST(switching_the_target_under_fire_never_mixes)
{
	struct fire fire;

	redirect(&shapes[_i]);
	begin(&fire, &shapes[_i]);
	switch_often(&fire);
	end(&fire);
}
END_TEST

START_TEST(writing_the_entry_under_fire_never_mixes)
{
	struct fire fire;

	begin(&fire, &shapes[_i]);
	write_often(&fire, 30);
	end(&fire);
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
	struct fire fire;

	ck_assert(take_place_of_nops(shape));
	redirect(shape);
	ck_assert_int_ne(memcmp(bytes + 1, "\x90\x90\x90\x90", 4), 0);
	ck_assert_uint_eq(
		strspn((const char *)bytes + 1, "\x90\xf5\xf8\xf9\xfc"), 4);
	release(shape);
	ck_assert_mem_eq(bytes, "\x90\x90\x90\x90\x90", 5);
	begin(&fire, shape);
	write_often(&fire, 30);
	end(&fire);
}
END_TEST

/* Of whoever redirects. */
static unsigned long writer_signals;

/* It calls the function itself, wherever in it its thread is. */
static void interrupt_caller(int number)
{
	(void)number;
	if (!self) {
		writer_signals++;
		return;
	}
	self->signals++;
	call_once(self, (int)self->signals & 0xffff);
}

static timer_t start_signals(pid_t thread)
{
	const struct itimerspec period = {
		.it_interval.tv_nsec = SIGNAL_PERIOD_NS,
		.it_value.tv_nsec = SIGNAL_PERIOD_NS,
	};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
				 .sigev_signo = SIGUSR1};
	timer_t timer;

	event._sigev_un._tid = thread;
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &period, NULL), 0);
	return timer;
}

/* The thread sanitizer keeps a signal back until its thread calls something. */
static bool is_interrupted(const struct fire *fire)
{
	size_t i;

	for (i = 0; i < CALLERS; i++) /* progress alone */
		if (!UNDER_TSAN && !hp_load_relaxed(&fire->callers[i].signals))
			return false;
	return true;
}

START_TEST(signals_at_ten_kilohertz_do_no_harm)
{
	struct sigaction action = {.sa_handler = interrupt_caller};
	timer_t timers[CALLERS + 1];
	struct fire fire;
	size_t i;

	sigaction(SIGUSR1, &action, NULL);
	begin(&fire, &shapes[_i]);
	for (i = 0; i < CALLERS; i++)
		timers[i] = start_signals(fire.callers[i].id);
	timers[CALLERS] = start_signals(gettid());
	write_often(&fire, 10);
	while (!is_interrupted(&fire))
		sched_yield();
	for (i = 0; i <= CALLERS; i++)
		timer_delete(timers[i]);
	end(&fire);
	ck_assert_uint_gt(writer_signals, 0);
}
END_TEST

START_TEST(threads_that_block_every_signal_come_to_no_harm)
{
	sigset_t all;
	sigset_t before;
	struct fire fire;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	begin(&fire, &shapes[_i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	write_often(&fire, 10);
	end(&fire);
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

START_TEST(switching_while_threads_sleep_in_the_call_does_no_harm)
{
	const struct shape *shape = &sleepers[_i];
	struct sleeper before;
	struct sleeper during;
	struct fire fire;

	send_to_sleep(&before, shape);
	redirect(shape);
	send_to_sleep(&during, shape);
	begin(&fire, shape);
	switch_often(&fire);
	end(&fire);
	wake(&before);
	wake(&during);
}
END_TEST

START_TEST(writing_while_threads_sleep_in_the_call_does_no_harm)
{
	const struct shape *shape = &sleepers[_i];
	struct sleeper before;
	struct sleeper during;
	struct fire fire;

	send_to_sleep(&before, shape);
	redirect(shape);
	send_to_sleep(&during, shape);
	release(shape);
	begin(&fire, shape);
	write_often(&fire, 30);
	end(&fire);
	wake(&before);
	wake(&during);
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
	add_case(suite, "switched_asleep",
		 switching_while_threads_sleep_in_the_call_does_no_harm,
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
