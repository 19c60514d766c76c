/* SPDX-License-Identifier: MIT */
/*
 * When the code of a patch that was reverted goes: not while anybody is in it
 * or returns to it, in a section or not, and for certain afterwards.
 */
#include "versions.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

#define WARM_UP_CYCLES 50
#define CYCLES 1000 /* HOTPATCH_TEST_CYCLES overrides it */

HOTPATCH_FUNCTION(int, call, (void (*work)(void *), void *argument))
{
	work(argument);
	return 0;
}

HOTPATCH_FUNCTION(void, run_loop, (const uint32_t *stop, uint64_t *rounds))
{
	hotpatch_enter();
	while (!hp_load_relaxed(stop)) { /* a flag for itself */
		hotpatch_safe_point();
		hp_add_relaxed(&rounds[0], 1); /* only the number counts */
	}
	hotpatch_leave();
}

HOTPATCH_FUNCTION(int, start_thread, (pthread_t * thread, int fd))
{
	return thread && fd ? -1 : -1;
}

HOTPATCH_FUNCTION(void, leave_something, (int *destroyed))
{
	*destroyed = 0;
}

static int pipe_ends[2];
static uint32_t stop;
static uint64_t rounds[2]; /* of the program's own loop and of the bundle's */
static sem_t ready;

static void set_up(void)
{
	sem_init(&ready, 0, 0);
	ck_assert_int_eq(pipe(pipe_ends), 0);
}

static void wake(void)
{
	ck_assert_int_eq(write(pipe_ends[1], "", 1), 1);
}

static void read_byte(void *unused)
{
	char byte;

	(void)unused;
	while (read(pipe_ends[0], &byte, 1) < 0)
		;
}

static bool is_kept(struct hotpatch_patch *patch, const char *first,
		    const char *second)
{
	struct hotpatch_error why;

	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, 0, &why),
			 HOTPATCH_E_TIMEOUT);
	return strstr(why.sentence, first) && strstr(why.sentence, second);
}

/* Not unmapped for now, with a reason that has both words. A thread that comes
 * and goes may first be found in a section of its own. */
static void expect_kept(struct hotpatch_patch *patch, const char *first,
			const char *second)
{
	await(is_kept(patch, first, second));
	ck_assert_uint_eq(count_copies(), 1);
}

/* Given up, and said so. */
static void expect_retained(struct hotpatch_patch *patch, const char *first,
			    const char *second)
{
	struct hotpatch_patch_info info;
	struct hotpatch_error why;

	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
					     PATIENCE_MS, &why),
			 HOTPATCH_E_RETAINED);
	expect_state(patch, HOTPATCH_RETAINED);
	find_event(0, HOTPATCH_PHASE_RETAINED);
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.status, HOTPATCH_E_RETAINED);
	/* The sanitizer has a thread of its own, which may be named instead. */
#if !UNDER_TSAN
	expect_words(why, first, second);
	ck_assert(strstr(info.reason, second));
#else
	(void)first;
	(void)second;
#endif
	ck_assert_uint_gt(info.mapped_bytes, 0);
	ck_assert_uint_eq(count_copies(), 1);
}

static void expect_unmapped_in_time(struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	await(poll_until_closed(patch));
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.status, HOTPATCH_OK);
	ck_assert_uint_eq(info.mapped_bytes, 0);
	ck_assert_uint_eq(count_copies(), 0);
	hotpatch_patch_close(patch);
}

/* ---- Threads that are no tasks ---- */

static int stranger_id;

static void *call_and_read(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "the stranger");
	stranger_id = own_thread_id();
	sem_post(&ready);
	return (void *)(intptr_t)call(read_byte, NULL);
}

START_TEST(code_under_a_sleeper_in_no_section_stays_until_it_wakes)
{
	struct hotpatch_patch *patch = apply_bundle("caller");
	pthread_t thread;
	void *answer;

	needs_proc();
	pthread_create(&thread, NULL, call_and_read, NULL);
	await_semaphore(&ready);
	await(is_asleep(stranger_id));
	revert(patch);
	expect_kept(patch, "the stranger", "is in the old version");
	wake();
	pthread_join(thread, &answer);
	ck_assert_int_eq((int)(intptr_t)answer, 1);
	expect_unmapped_in_time(patch);
}
END_TEST

static void *spin_outside(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "the spinner");
	sem_post(&ready);
	while (!hp_load_relaxed(&stop)) /* a flag for itself */
		;
	return NULL;
}

START_TEST(code_is_retained_while_a_thread_in_no_section_runs)
{
	struct hotpatch_patch *patch = apply_bundle("caller");
	pthread_t thread;

	needs_proc();
	pthread_create(&thread, NULL, spin_outside, NULL);
	await_semaphore(&ready);
	revert(patch);
	expect_retained(patch, "the spinner", "outside of any section");
	hp_store_relaxed(&stop, 1); /* as above */
	pthread_join(thread, NULL);
	expect_unmapped_in_time(patch);
}
END_TEST

START_TEST(code_stays_under_a_thread_that_the_bundle_started)
{
	struct hotpatch_patch *patch = apply_bundle("thread");
	pthread_t thread;
	void *answer;

	needs_proc();
	ck_assert_int_eq(start_thread(&thread, pipe_ends[0]), 0);
	pthread_setname_np(thread, "of the bundle");
	revert(patch);
	expect_retained(patch, "of the bundle", "old version");
	wake();
	pthread_join(thread, &answer);
	ck_assert_ptr_eq(answer, (void *)1);
	expect_unmapped_in_time(patch);
}
END_TEST

/* ---- Loops that never return ---- */

static void *run_named_loop(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "the loop");
	run_loop(&stop, rounds);
	return NULL;
}

static bool has_looped(int body)
{
	return hp_load_relaxed(&rounds[body]) > 0; /* only the number counts */
}

START_TEST(loop_that_never_returns_is_swapped_for_later_callers)
{
	struct hotpatch_patch *patch = open_bundle("loop");
	struct hotpatch_patch_info info;
	pthread_t before;
	pthread_t after;

	needs_proc();
	pthread_create(&before, NULL, run_named_loop, NULL);
	await(has_looped(0));
	apply(patch);
	ck_assert(!has_looped(1));
	hotpatch_patch_info(patch, &info);
	ck_assert(
		strstr(info.still_runs, "run_loop still running in the loop"));
	pthread_create(&after, NULL, run_named_loop, NULL);
	await(has_looped(1));
	hp_store_relaxed(&stop, 1); /* as above */
	pthread_join(before, NULL);
	pthread_join(after, NULL);
	hotpatch_patch_info(patch, &info);
	ck_assert_str_eq(info.still_runs, "");
	revert(patch);
	expect_unmapped_in_time(patch);
}
END_TEST

START_TEST(bundles_own_loop_is_reported_and_unmapped_when_it_ends)
{
	struct hotpatch_patch *patch = apply_bundle("loop");
	pthread_t thread;

	needs_proc();
	pthread_create(&thread, NULL, run_named_loop, NULL);
	await(has_looped(1));
	revert(patch);
	expect_retained(patch, "the loop", "loop of the old version");
	hp_store_relaxed(&stop, 1); /* as above */
	pthread_join(thread, NULL);
	expect_unmapped_in_time(patch);
}
END_TEST

static void pass_safe_points(void *unused)
{
	(void)unused;
	while (!hp_load_relaxed(&stop)) { /* a flag for itself */
		hotpatch_safe_point();
		hp_add_relaxed(&rounds[0], 1); /* only the number counts */
	}
}

static void *work_in_one_section(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "the loop");
	hotpatch_enter();
	call(pass_safe_points, NULL);
	hotpatch_leave();
	return NULL;
}

START_TEST(code_that_a_safe_point_returns_to_stays)
{
	struct hotpatch_patch *patch = apply_bundle("caller");
	pthread_t thread;

	needs_proc();
	pthread_create(&thread, NULL, work_in_one_section, NULL);
	await(has_looped(0));
	revert(patch);
	expect_kept(patch, "the loop", "returns to the old version");
	hp_store_relaxed(&stop, 1); /* as above */
	pthread_join(thread, NULL);
	expect_unmapped_in_time(patch);
}
END_TEST

static void work_in_sections(void *unused)
{
	(void)unused;
	while (!hp_load_relaxed(&stop)) { /* a flag for itself */
		hotpatch_enter();
		hp_add_relaxed(&rounds[0], 1); /* only the number counts */
		hotpatch_leave();
	}
}

static void *call_work_in_sections(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "the loop");
	call(work_in_sections, NULL);
	return NULL;
}

START_TEST(code_that_called_the_sections_stays)
{
	struct hotpatch_patch *patch = apply_bundle("caller");
	pthread_t thread;

	needs_proc();
	pthread_create(&thread, NULL, call_work_in_sections, NULL);
	await(has_looped(0));
	revert(patch);
	expect_kept(patch, "the loop", "called from the old version");
	hp_store_relaxed(&stop, 1); /* as above */
	pthread_join(thread, NULL);
	expect_unmapped_in_time(patch);
}
END_TEST

static void unmap_from_inside(void *argument)
{
	struct hotpatch_patch *patch = argument;

	revert(patch);
	expect_kept(patch, "asks for it", "from the old version");
}

START_TEST(caller_in_the_code_cannot_unmap_it_under_itself)
{
	struct hotpatch_patch *patch = apply_bundle("caller");

	needs_proc();
	ck_assert_int_eq(call(unmap_from_inside, patch), 1);
	expect_unmapped_in_time(patch);
}
END_TEST

/* The record of the caller's own section says nothing of its stack now. */
START_TEST(task_that_asks_from_inside_cannot_unmap_it_either)
{
	struct hotpatch_patch *patch = apply_bundle("caller");

	needs_proc();
	hotpatch_enter();
	hotpatch_leave();
	ck_assert_int_eq(call(unmap_from_inside, patch), 1);
	expect_unmapped_in_time(patch);
}
END_TEST

/* ---- What the dynamic loader keeps ---- */

static int destroyed;

static void *leave_and_wait(void *unused)
{
	leave_something(&destroyed);
	sem_post(&ready);
	read_byte(unused);
	return NULL;
}

START_TEST(code_with_a_thread_local_destructor_is_retained)
{
	struct hotpatch_patch *patch = apply_bundle("destructor");
	pthread_t thread;

	needs_proc();
	pthread_create(&thread, NULL, leave_and_wait, NULL);
	await_semaphore(&ready);
	revert(patch);
	expect_retained(patch, "stays mapped", "destructor");
	wake();
	pthread_join(thread, NULL);
	ck_assert_int_eq(destroyed, 1);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(code_with_a_unique_symbol_is_retained)
{
	struct hotpatch_patch *patch = apply_bundle("unique");

	needs_proc();
	leave_something(&destroyed);
	ck_assert_int_eq(destroyed, 2);
	revert(patch);
	expect_retained(patch, "stays mapped", "unique symbol");
	leave_something(&destroyed);
	ck_assert_int_eq(destroyed, 0);
	hotpatch_patch_close(patch);
	remove_patch(apply_bundle("caller"));
}
END_TEST

START_TEST(code_that_handles_a_signal_stays_until_it_does_not)
{
	struct hotpatch_patch *patch = apply_bundle("handler");

	needs_proc();
	leave_something(&destroyed);
	revert(patch);
	expect_retained(patch, "handler", "signal 12 is handled by it");
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_DFL);
	expect_unmapped_in_time(patch);
}
END_TEST

START_TEST(what_was_registered_for_the_end_runs_before_the_code_goes)
{
	struct hotpatch_patch *patch = apply_bundle("exit");

	needs_proc();
	leave_something(&destroyed);
	ck_assert_int_eq(destroyed, 0);
	revert(patch);
	expect_unmapped_in_time(patch);
	ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(code_that_may_have_made_a_key_stays)
{
	struct hotpatch_patch *patch = apply_bundle("key");

	needs_proc();
	leave_something(&destroyed);
	revert(patch);
	expect_retained(patch, "key", "key of threads");
	hotpatch_patch_close(patch);
}
END_TEST

static void one_cycle(const char *name, int expected)
{
	struct hotpatch_patch *patch = apply_bundle(name);

	hotpatch_enter();
	ck_assert_int_eq(version(), expected);
	hotpatch_leave();
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
}

/* ---- The main thread has exited ---- */

/* The sanitizer cannot join a main thread. */
#if !UNDER_TSAN

static pthread_t main_thread;

static void *go_on_alone(void *unused)
{
	(void)unused;
	ck_assert_int_eq(pthread_join(main_thread, NULL), 0);
	one_cycle("one", 1);
	one_cycle("two", 2);
	ck_assert_uint_eq(count_copies(), 0);
	_exit(0);
}

static void exit_main_thread(void)
{
	pthread_t thread;

	main_thread = pthread_self();
	hotpatch_enter();
	pthread_create(&thread, NULL, go_on_alone, NULL);
	pthread_exit(NULL);
}

START_TEST(everything_works_after_the_main_thread_has_exited)
{
	pid_t child = fork();
	int status = -1;

	needs_proc();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		exit_main_thread();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the child ended with %#x", (unsigned int)status);
}
END_TEST

#endif

/* ---- Many cycles ---- */

/* What the process has of everything that could leak. */
struct footprint {
	size_t heap_bytes;
	unsigned int mappings;
	unsigned int descriptors;
};

static unsigned int count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int count = 0;
	int letter;

	while ((letter = getc(file)) != EOF)
		count += letter == '\n';
	fclose(file);
	return count;
}

static struct footprint take_footprint(void)
{
	return (struct footprint){
		.heap_bytes = mallinfo2().uordblks,
		.mappings = count_lines("/proc/self/maps"),
		.descriptors = count_descriptors(),
	};
}

static void many_cycles(unsigned long count)
{
	while (count-- > 0)
		one_cycle(count % 2 ? "one" : "two", count % 2 ? 1 : 2);
}

START_TEST(cycles_leave_nothing_behind)
{
	const char *wanted = getenv("HOTPATCH_TEST_CYCLES");
	struct footprint before;
	struct footprint after;

	needs_proc();
	many_cycles(WARM_UP_CYCLES);
	before = take_footprint();
	many_cycles(wanted ? strtoul(wanted, NULL, 10) : CYCLES);
	after = take_footprint();
	ck_assert_uint_eq(after.descriptors, before.descriptors);
	/* Sanitizers map memory of their own, and have a heap of their own. */
#if !SANITIZED
	ck_assert_uint_eq(after.mappings, before.mappings);
	ck_assert_uint_le(after.heap_bytes, before.heap_bytes + 1024);
#endif
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

static void add_tests(TCase *all)
{
	tcase_add_test(all,
		       code_under_a_sleeper_in_no_section_stays_until_it_wakes);
	tcase_add_test(all, code_is_retained_while_a_thread_in_no_section_runs);
	tcase_add_test(all, code_stays_under_a_thread_that_the_bundle_started);
	tcase_add_test(all,
		       loop_that_never_returns_is_swapped_for_later_callers);
	tcase_add_test(all,
		       bundles_own_loop_is_reported_and_unmapped_when_it_ends);
	tcase_add_test(all, code_that_a_safe_point_returns_to_stays);
	tcase_add_test(all, code_that_called_the_sections_stays);
	tcase_add_test(all, caller_in_the_code_cannot_unmap_it_under_itself);
	tcase_add_test(all, task_that_asks_from_inside_cannot_unmap_it_either);
	tcase_add_test(all, code_with_a_thread_local_destructor_is_retained);
	tcase_add_test(all, code_with_a_unique_symbol_is_retained);
	tcase_add_test(all, code_that_handles_a_signal_stays_until_it_does_not);
	tcase_add_test(all, code_that_may_have_made_a_key_stays);
	tcase_add_test(
		all, what_was_registered_for_the_end_runs_before_the_code_goes);
#if !UNDER_TSAN
	tcase_add_test(all, everything_works_after_the_main_thread_has_exited);
#endif
	tcase_add_test(all, cycles_leave_nothing_behind);
}

int main(void)
{
	Suite *suite = suite_create("unmapping");
	TCase *all = tcase_create("unmapping");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, set_up, NULL);
	tcase_set_timeout(all, 90);
	add_tests(all);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
