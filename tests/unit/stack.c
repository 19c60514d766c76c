/* SPDX-License-Identifier: MIT */
/*
 * Looking at threads through /proc: asleep with a known function on the stack,
 * running, gone, in a signal handler.
 */
#include "../../lib/stack.h"

#include "../../lib/atomic.h"
#include "../../lib/module.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20
#define ALTERNATE_SIZE 65536

static int wake[2]; /* a pipe that a sleeper reads from */
static uint32_t stop_spinning;
static pthread_barrier_t ready;
static pthread_t thread;
static int thread_id;
static struct hp_stack_reader *reader;

static void set_up(void)
{
	ck_assert_int_eq(pipe(wake), 0);
	pthread_barrier_init(&ready, NULL, 2);
	reader = hp_stack_open();
	ck_assert_ptr_nonnull(reader);
}

static void tear_down(void)
{
	hp_stack_close(reader);
}

static void start(void *(*work)(void *))
{
	ck_assert_int_eq(pthread_create(&thread, NULL, work, NULL), 0);
	pthread_barrier_wait(&ready);
}

static void end(void)
{
	ck_assert_int_eq(write(wake[1], "", 1), 1);
	pthread_join(thread, NULL);
}

static void read_one(void)
{
	char byte;

	while (read(wake[0], &byte, 1) != 1)
		;
}

__attribute__((noinline)) static void sleep_inside(void)
{
	read_one();
	__asm__ volatile("");
}

__attribute__((noinline)) static void never_called(void)
{
	__asm__ volatile("nop");
}

__attribute__((noinline)) static void never_called_either(void)
{
	__asm__ volatile("nop; nop");
}

static void announce(void)
{
	thread_id = gettid();
	pthread_barrier_wait(&ready);
}

static void *sleeper(void *unused)
{
	(void)unused;
	announce();
	sleep_inside();
	return NULL;
}

static void *spinner(void *unused)
{
	(void)unused;
	announce();
	while (!hp_load_relaxed(&stop_spinning)) /* a flag for itself */
		;
	return NULL;
}

static void *brief(void *unused)
{
	(void)unused;
	announce();
	return NULL;
}

static void sleep_in_handler(int number)
{
	(void)number;
	read_one();
}

static void *handler_on_alternate_stack(void *unused)
{
	stack_t stack = {.ss_size = ALTERNATE_SIZE};

	(void)unused;
	stack.ss_sp = mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&stack, NULL);
	announce();
	raise(SIGUSR1);
	return NULL;
}

static void handle_on_alternate_stack(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = sleep_in_handler;
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &action, NULL);
	/* The reader knows the handlers that there were when it was made. */
	hp_stack_close(reader);
	reader = hp_stack_open();
}

static struct hp_stack_range range_of(void (*function)(void))
{
	struct hp_module_facts facts;
	struct hp_stack_range range;
	uintptr_t address = (uintptr_t)function;

	ck_assert(hp_module_find((void *)address, &facts));
	ck_assert(
		hp_module_function(&facts, address, &range.start, &range.stop));
	ck_assert_uint_eq(range.start, address);
	return range;
}

/* Looks until the thread has gone to sleep. */
static enum hp_stack_answer inspect(const struct hp_stack_range *range,
				    struct hp_stack_look *look)
{
	time_t until = time(NULL) + PATIENCE_S;
	enum hp_stack_answer answer;

	do {
		sched_yield();
		answer = hp_stack_inspect(reader, thread_id, range, 1, look);
	} while (answer == HP_STACK_RUNS && time(NULL) < until);
	return answer;
}

START_TEST(return_address_on_a_sleepers_stack_is_found)
{
	struct hp_stack_range range = range_of(sleep_inside);
	struct hp_stack_look look;

	start(sleeper);
	ck_assert_int_eq(inspect(&range, &look), HP_STACK_FOUND);
	ck_assert_uint_ge(look.found, range.start);
	ck_assert_uint_lt(look.found, range.stop);
	end();
}
END_TEST

START_TEST(sleeper_is_clear_of_what_it_did_not_call)
{
	struct hp_stack_range range = range_of(never_called);
	struct hp_stack_look look;

	never_called();
	start(sleeper);
	ck_assert_int_eq(inspect(&range, &look), HP_STACK_CLEAR);
	end();
}
END_TEST

START_TEST(each_of_several_ranges_is_searched_for)
{
	struct hp_stack_range ranges[3] = {range_of(never_called_either),
					   range_of(never_called),
					   range_of(sleep_inside)};
	struct hp_stack_look look;

	start(sleeper);
	inspect(ranges, &look);
	ck_assert_int_eq(hp_stack_inspect(reader, thread_id, ranges, 2, &look),
			 HP_STACK_CLEAR);
	ck_assert_int_eq(hp_stack_inspect(reader, thread_id, ranges, 3, &look),
			 HP_STACK_FOUND);
	end();
}
END_TEST

/* Makes the system call itself, so that only the program counter is in it. */
extern long read_directly(int fd, void *place, size_t size)
	__attribute__((visibility("hidden")));

#if defined(__x86_64__)
#define READ_DIRECTLY "xorl %eax, %eax\nsyscall\nret\n"
#else
#define READ_DIRECTLY "mov x8, #63\nsvc #0\nret\n"
#endif

__asm__(".pushsection .text\n"
	".globl read_directly\n"
	".hidden read_directly\n"
	".type read_directly, %function\n"
	"read_directly:\n"
	".cfi_startproc\n" READ_DIRECTLY ".cfi_endproc\n"
	".size read_directly, . - read_directly\n"
	".popsection\n");

static void *direct_sleeper(void *unused)
{
	char byte;

	(void)unused;
	announce();
	while (read_directly(wake[0], &byte, 1) != 1)
		;
	return NULL;
}

START_TEST(program_counter_is_looked_at)
{
	struct hp_stack_range range = range_of((void (*)(void))read_directly);
	struct hp_stack_look look;

	start(direct_sleeper);
	ck_assert_int_eq(inspect(&range, &look), HP_STACK_FOUND);
	end();
}
END_TEST

START_TEST(running_thread_is_not_judged)
{
	struct hp_stack_range range = range_of(never_called);
	struct hp_stack_look look;
	int i;

	start(spinner);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(hp_stack_inspect(reader, thread_id, &range, 1,
						  &look),
				 HP_STACK_RUNS);
	hp_store_relaxed(&stop_spinning, 1); /* as above */
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(ended_thread_is_gone)
{
	struct hp_stack_range range = range_of(never_called);
	struct hp_stack_look look;

	start(brief);
	ck_assert(pthread_join(thread, NULL) == 0);
	while (hp_stack_thread_lives(thread_id))
		sched_yield();
	ck_assert_int_eq(hp_stack_inspect(reader, thread_id, &range, 1, &look),
			 HP_STACK_GONE);
	ck_assert(hp_stack_thread_lives(gettid()));
}
END_TEST

START_TEST(thread_in_a_signal_handler_is_not_clear)
{
	struct hp_stack_range range = range_of(never_called);
	struct hp_stack_look look;

	handle_on_alternate_stack();
	start(handler_on_alternate_stack);
	ck_assert_int_eq(inspect(&range, &look), HP_STACK_UNKNOWN);
	ck_assert_str_eq(look.why, "is in a signal handler");
	end();
}
END_TEST

START_TEST(stack_of_a_thread_that_came_later_is_found)
{
	struct hp_stack_range range = range_of(sleep_inside);
	struct hp_stack_look look;
	pthread_attr_t attributes;
	void *stack;

	/* A mapping that the reader has not seen. */
	stack = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, 1 << 20);
	ck_assert_int_eq(pthread_create(&thread, &attributes, sleeper, NULL),
			 0);
	pthread_barrier_wait(&ready);
	ck_assert_int_eq(inspect(&range, &look), HP_STACK_FOUND);
	end();
}
END_TEST

__attribute__((noinline)) static enum hp_stack_answer
search_own(const struct hp_stack_range *range)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct hp_stack_look look;

	return hp_stack_search(reader, here, 0, range, 1, &look);
}

__attribute__((noinline)) static enum hp_stack_answer
search_from_deeper(const struct hp_stack_range *range)
{
	enum hp_stack_answer answer = search_own(range);

	__asm__ volatile("");
	return answer;
}

START_TEST(own_stack_is_searched_up_to_its_base)
{
	/* Not on the stack, where they would be found themselves. */
	static const struct hp_stack_range other = {0x5a5a5a5a5a5a1000,
						    0x5a5a5a5a5a5a1008};
	static struct hp_stack_range range;

	range = range_of((void (*)(void))search_from_deeper);
	ck_assert_int_eq(search_from_deeper(&other), HP_STACK_CLEAR);
	ck_assert_int_eq(search_from_deeper(&range), HP_STACK_FOUND);
}
END_TEST

static bool is_listed(int wanted, const int *threads, long count)
{
	while (count-- > 0)
		if (threads[count] == wanted)
			return true;
	return false;
}

START_TEST(every_thread_is_listed)
{
	int threads[64];
	long before = hp_stack_threads(threads, 64);
	long count;

	ck_assert(is_listed(gettid(), threads, before));
	start(sleeper);
	count = hp_stack_threads(threads, 64);
	/* A sanitizer may have threads of its own. */
	ck_assert_int_ge(count, before + 1);
	ck_assert(is_listed(gettid(), threads, count));
	ck_assert(is_listed(thread_id, threads, count));
	ck_assert_int_eq(hp_stack_threads(threads, 1), count);
	end();
}
END_TEST

START_TEST(thread_has_the_name_that_it_was_given)
{
	char name[16];

	start(sleeper);
	pthread_setname_np(thread, "the sleeper");
	hp_stack_thread_name(thread_id, name);
	ck_assert_str_eq(name, "the sleeper");
	end();
	while (hp_stack_thread_lives(thread_id))
		sched_yield();
	hp_stack_thread_name(thread_id, name);
	ck_assert_str_eq(name, "");
}
END_TEST

START_TEST(looking_is_known_to_work_here)
{
	ck_assert(hp_stack_works());
}
END_TEST

static void add_tests(TCase *all)
{
	tcase_add_test(all, return_address_on_a_sleepers_stack_is_found);
	tcase_add_test(all, sleeper_is_clear_of_what_it_did_not_call);
	tcase_add_test(all, each_of_several_ranges_is_searched_for);
	tcase_add_test(all, program_counter_is_looked_at);
	tcase_add_test(all, running_thread_is_not_judged);
	tcase_add_test(all, ended_thread_is_gone);
	tcase_add_test(all, thread_in_a_signal_handler_is_not_clear);
	tcase_add_test(all, stack_of_a_thread_that_came_later_is_found);
	tcase_add_test(all, own_stack_is_searched_up_to_its_base);
	tcase_add_test(all, every_thread_is_listed);
	tcase_add_test(all, thread_has_the_name_that_it_was_given);
	tcase_add_test(all, looking_is_known_to_work_here);
}

int main(void)
{
	Suite *suite = suite_create("stack");
	TCase *all = tcase_create("stack");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!hp_stack_works())
		return 77;
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_set_timeout(all, 60);
	add_tests(all);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
