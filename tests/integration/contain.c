/* SPDX-License-Identifier: MIT */
/*
 * Faults in the code of a patch on probation: who can go on does, everybody
 * else ends as ever, and the patch is what is blamed.
 */
#include "contain_host.h"
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

#define LONG_MS 600000
#define THREADS 4
#define HANDLED 42

enum fault wanted;
int attempts;
static bool old_faults;
static volatile int zero;
static unsigned int notes;

HOTPATCH_FUNCTION(int, price, (int net, double rate))
{
	if (old_faults)
		raise(SIGSEGV);
	return net + (int)rate;
}

HOTPATCH_FUNCTION(void, note, (int net))
{
	notes += (unsigned int)net;
}

HOTPATCH_FUNCTION(int, nested, (int depth))
{
	return depth;
}

HOTPATCH_RESTARTABLE(int, price, (int net, double rate), (net, rate))
HOTPATCH_RESTARTABLE(void, note, (int net), (net))
HOTPATCH_RESTARTABLE(int, nested, (int depth), (depth))

HOTPATCH_FUNCTION(int, total, (int count))
{
	int sum = 0;
	int i;

	for (i = 0; i < count; i++)
		sum += HOTPATCH_RESTARTABLE_CALL(price)(i, 0);
	return sum;
}

HOTPATCH_RESTARTABLE(int, total, (int count), (count))

static struct hotpatch_patch *apply_watched(const char *name)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.probation_ms = LONG_MS,
	};
	struct hotpatch_patch *patch = open_bundle(name);

	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	await_drained(patch);
	return patch;
}

static struct hotpatch_patch *contain_bad(enum fault fault)
{
	struct hotpatch_patch *patch;

	expect_ok(hotpatch_health_contain(&err));
	patch = apply_watched("bad");
	wanted = fault;
	return patch;
}

static int call_price(void)
{
	int result;

	hotpatch_enter();
	result = HOTPATCH_RESTARTABLE_CALL(price)(5, 2.5);
	hotpatch_leave();
	return result;
}

/* The reason is "SIGNAL at PLACE of bad". */
static void expect_blamed(struct hotpatch_patch *patch, const char *signal)
{
	struct hotpatch_error err;
	char start[64];
	size_t length;

	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_HEALTHY,
					     PATIENCE_MS, &err),
			 HOTPATCH_E_UNHEALTHY);
	snprintf(start, sizeof(start), "bad was taken back: %s at ", signal);
	length = strlen(err.sentence);
	ck_assert_msg(!strncmp(err.sentence, start, strlen(start)) &&
			      !strcmp(err.sentence + length - 7, " of bad"),
		      "%s", err.sentence);
	await_unmapped(patch);
}

static void fault_and_go_on(enum fault fault, const char *signal)
{
	struct hotpatch_patch *patch = contain_bad(fault);

	ck_assert_int_eq(call_price(), 7);
	ck_assert_int_eq(attempts, 1);
	expect_blamed(patch, signal);
	ck_assert_int_eq(call_price(), 7);
	ck_assert_int_eq(attempts, 1);
}

START_TEST(call_is_made_again_with_the_old_version)
{
	fault_and_go_on(FAULT_MEMORY, "SIGSEGV");
}
END_TEST

START_TEST(other_faults_are_contained_as_well)
{
#if defined(__x86_64__)
	fault_and_go_on(FAULT_DIVISION, "SIGFPE");
#else
	leave_out("nothing faults that divides by zero");
#endif
}
END_TEST

START_TEST(instruction_that_does_not_exist_is_contained)
{
#if defined(__x86_64__)
	fault_and_go_on(FAULT_INSTRUCTION, "SIGILL");
#else
	leave_out("it is a trap of another kind");
#endif
}
END_TEST

START_TEST(without_a_fault_the_new_version_runs)
{
	contain_bad(FAULT_NONE);
	ck_assert_int_eq(call_price(), 1007);
	ck_assert_uint_eq(hotpatch_contained, 1);
}
END_TEST

START_TEST(nothing_is_tested_where_nothing_is_contained)
{
	apply_watched("bad");
	ck_assert_uint_eq(hotpatch_contained, 0);
	expect_ok(hotpatch_health_contain(&err));
	ck_assert_uint_eq(hotpatch_contained, 1);
	expect_status(HOTPATCH_E_ALREADY, hotpatch_health_contain(&err));
}
END_TEST

START_TEST(function_without_result_is_repeated_too)
{
	struct hotpatch_patch *patch = contain_bad(FAULT_MEMORY);

	hotpatch_enter();
	HOTPATCH_RESTARTABLE_CALL(note)(3);
	hotpatch_leave();
	ck_assert_uint_eq(notes, 3);
	ck_assert_int_eq(attempts, 1);
	expect_blamed(patch, "SIGSEGV");
}
END_TEST

START_TEST(section_is_as_deep_as_before_the_call)
{
	struct hotpatch_patch *patch = contain_bad(FAULT_MEMORY);

	hotpatch_enter();
	ck_assert_int_eq(HOTPATCH_RESTARTABLE_CALL(nested)(4), 4);
	hotpatch_leave();
	/* This thread is at rest, or nothing would be unmapped. */
	expect_blamed(patch, "SIGSEGV");
}
END_TEST

START_TEST(signals_are_blocked_as_before_the_call)
{
	sigset_t before;
	sigset_t after;
	int number;

	contain_bad(FAULT_MEMORY);
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &before, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	ck_assert_int_eq(call_price(), 7);
	ck_assert_int_eq(call_price(), 7);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (number = 1; number < SIGRTMIN; number++)
		ck_assert_int_eq(sigismember(&after, number),
				 sigismember(&before, number));
}
END_TEST

START_TEST(only_the_innermost_call_is_made_again)
{
	int sum;

	contain_bad(FAULT_MEMORY);
	hotpatch_enter();
	sum = HOTPATCH_RESTARTABLE_CALL(total)(4);
	hotpatch_leave();
	ck_assert_int_eq(sum, 0 + 1 + 2 + 3);
	ck_assert_int_eq(attempts, 4);
}
END_TEST

START_TEST(old_version_is_the_patch_beneath)
{
	struct hotpatch_patch *good = apply_bundle("good");

	contain_bad(FAULT_MEMORY);
	ck_assert_int_eq(call_price(), 507);
	remove_patch(good);
	ck_assert_int_eq(call_price(), 7);
}
END_TEST

static bool faulting_request(void)
{
	return HOTPATCH_RESTARTABLE_CALL(price)(5, 2.5) != 7;
}

START_TEST(threads_go_on_side_by_side_until_it_is_gone)
{
	struct hotpatch_patch *patch = contain_bad(FAULT_MEMORY);
	static struct workers workers;

	workers_start(&workers, THREADS, faulting_request);
	workers_await_progress(&workers);
	expect_blamed(patch, "SIGSEGV");
	workers_await_progress(&workers);
	ck_assert_uint_eq(workers_stop(&workers), 0);
}
END_TEST

/* ---- Where nobody goes on ---- */

static bool fault_was_told(void)
{
	struct hotpatch_event event;
	uint64_t since = 0;

	while (hotpatch_event_read(since, &event, 1) == 1) {
		if (event.phase == HOTPATCH_PHASE_FAULT)
			return !strcmp(event.patch, "bad") &&
			       !strncmp(event.object, "SIGSEGV at ", 11);
		since = event.sequence;
	}
	return false;
}

static void host_handler(int number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	_exit(number == SIGSEGV && fault_was_told() ? HANDLED : HANDLED + 1);
}

static void handle_in_host(void)
{
	struct sigaction action = {.sa_sigaction = host_handler,
				   .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
}

/* How a child that does @work ends. */
static int end_of_child(void (*work)(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		work();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static void expect_handled(void (*work)(void))
{
	int status = end_of_child(work);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == HANDLED,
		      "wait status %d", status);
}

static void expect_killed(void (*work)(void), int signal)
{
	int status = end_of_child(work);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signal,
		      "wait status %d", status);
}

static void call_plainly(void)
{
	handle_in_host();
	contain_bad(FAULT_MEMORY);
	hotpatch_enter();
	price(1, 1);
	hotpatch_leave();
}

static void call_outside_a_section(void)
{
	handle_in_host();
	contain_bad(FAULT_MEMORY);
	HOTPATCH_RESTARTABLE_CALL(price)(1, 1);
}

static void call_in_a_fiber(void)
{
	struct hotpatch_task *fiber = hotpatch_task_create(NULL);

	handle_in_host();
	contain_bad(FAULT_MEMORY);
	hotpatch_task_switch(fiber);
	hotpatch_enter();
	HOTPATCH_RESTARTABLE_CALL(price)(1, 1);
	hotpatch_leave();
}

static void fault_in_the_old_version(void)
{
	handle_in_host();
	contain_bad(FAULT_MEMORY);
	old_faults = true;
	call_price();
}

START_TEST(plain_call_goes_to_the_hosts_own_handler)
{
	expect_handled(call_plainly);
}
END_TEST

START_TEST(call_outside_a_section_is_not_made_again)
{
	expect_handled(call_outside_a_section);
}
END_TEST

START_TEST(call_in_a_fiber_is_not_made_again)
{
	expect_handled(call_in_a_fiber);
}
END_TEST

START_TEST(fault_in_the_old_version_is_an_ordinary_one)
{
	expect_handled(fault_in_the_old_version);
}
END_TEST

/* A sanitizer's own handler would end the process otherwise. */
static void without_handlers(void)
{
	signal(SIGSEGV, SIG_DFL);
	signal(SIGFPE, SIG_DFL);
}

static void fault_plainly(void)
{
	without_handlers();
	contain_bad(FAULT_MEMORY);
	price(1, 1);
}

static void fault_in_the_c_library(void)
{
	without_handlers();
	contain_bad(FAULT_BELOW);
	call_price();
}

__attribute__((no_sanitize("undefined"))) static void fault_in_the_host(void)
{
	without_handlers();
	contain_bad(FAULT_NONE);
	*(volatile int *)(uintptr_t)zero = 1;
}

static void be_sent_one(void)
{
	without_handlers();
	contain_bad(FAULT_NONE);
	kill(getpid(), SIGFPE);
}

static void ignore_one(void)
{
	signal(SIGFPE, SIG_IGN);
	contain_bad(FAULT_NONE);
	raise(SIGFPE);
}

START_TEST(without_a_handler_it_ends_as_ever)
{
	expect_killed(fault_plainly, SIGSEGV);
}
END_TEST

START_TEST(what_the_patch_calls_is_not_its_code)
{
	expect_killed(fault_in_the_c_library, SIGSEGV);
}
END_TEST

START_TEST(fault_of_the_host_ends_as_ever)
{
	expect_killed(fault_in_the_host, SIGSEGV);
}
END_TEST

START_TEST(signal_that_was_sent_ends_as_ever)
{
	expect_killed(be_sent_one, SIGFPE);
}
END_TEST

START_TEST(signal_that_was_ignored_still_is)
{
	ck_assert_int_eq(end_of_child(ignore_one), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		call_is_made_again_with_the_old_version,
		other_faults_are_contained_as_well,
		instruction_that_does_not_exist_is_contained,
		without_a_fault_the_new_version_runs,
		nothing_is_tested_where_nothing_is_contained,
		function_without_result_is_repeated_too,
		section_is_as_deep_as_before_the_call,
		signals_are_blocked_as_before_the_call,
		only_the_innermost_call_is_made_again,
		old_version_is_the_patch_beneath,
		threads_go_on_side_by_side_until_it_is_gone,
		plain_call_goes_to_the_hosts_own_handler,
		call_outside_a_section_is_not_made_again,
		call_in_a_fiber_is_not_made_again,
		fault_in_the_old_version_is_an_ordinary_one,
		without_a_handler_it_ends_as_ever,
		what_the_patch_calls_is_not_its_code,
		fault_of_the_host_ends_as_ever,
		signal_that_was_sent_ends_as_ever,
		signal_that_was_ignored_still_is,
	};

	return run_tests("contain", tests, sizeof(tests) / sizeof(tests[0]));
}
