/* SPDX-License-Identifier: MIT */
/*
 * Processes that fork: the child has its own thread alone, no transition of
 * its parent's, and can be patched; the parent notices nothing.
 */
#include "versions.h"

#include <spawn.h>
#include <sys/wait.h>

#define FORKS 50

extern char **environ;

static void expect_success(pid_t child)
{
	int status = -1;

	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the child ended with %#x", (unsigned int)status);
}

/* Runs @work in a child and sees it succeed. */
static void in_child(void (*work)(void))
{
	pid_t child = fork();

	if (child == 0) {
		work();
		_exit(0);
	}
	expect_success(child);
}

static void one_cycle(const char *name, int expected)
{
	struct hotpatch_patch *patch = apply_bundle(name);

	hotpatch_enter();
	ck_assert_int_eq(version(), expected);
	hotpatch_leave();
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
}

static void expect_no_transition(void)
{
	struct hotpatch_process_info process;

	hotpatch_process_info(&process);
	ck_assert(!process.transition);
	ck_assert_uint_le(process.tasks, 1);
	ck_assert_uint_eq(hotpatch_blocker_list(NULL, 0), 0);
}

static struct hotpatch_patch *find(const char *name)
{
	struct hotpatch_patch *patch = NULL;

	ck_assert_int_eq(hotpatch_patch_find(name, &patch), HOTPATCH_OK);
	return patch;
}

/* ---- What a child has ---- */

static void have_one_record(void)
{
	ck_assert_uint_eq(count_tasks(), 1);
	one_cycle("one", 1);
	ck_assert_uint_eq(count_tasks(), 1);
}

START_TEST(child_has_the_record_of_its_own_thread_only)
{
	struct holder holders[4];
	int i;

	for (i = 0; i < 4; i++)
		holder_start(&holders[i]);
	hotpatch_enter();
	hotpatch_leave();
	ck_assert_uint_eq(count_tasks(), 5);
	in_child(have_one_record);
	ck_assert_uint_eq(count_tasks(), 5);
	for (i = 0; i < 4; i++)
		holder_stop(&holders[i]);
}
END_TEST

static void take_the_parents_patch_away(void)
{
	struct hotpatch_patch *patch = find("one");

	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
	one_cycle("two", 2);
	/* As a child ends that was not started by a test. */
	exit(0);
}

START_TEST(child_reverts_without_harm_to_its_parent)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	struct hotpatch_patch_info info;
	pid_t child;

	needs_proc();
	hotpatch_patch_info(patch, &info);
	child = fork();
	if (child == 0)
		take_the_parents_patch_away();
	expect_success(child);
	ck_assert_int_eq(version(), 1);
	ck_assert_msg(access(info.path, F_OK) == 0, "%s is gone", info.path);
	remove_patch(patch);
	ck_assert_int_ne(access(info.path, F_OK), 0);
}
END_TEST

/* ---- While a transition is open ---- */

static void be_on_the_new_side(void)
{
	struct hotpatch_patch *patch = find("one");

	expect_no_transition();
	expect_state(patch, HOTPATCH_ACTIVE);
	find_event(0, HOTPATCH_PHASE_FORKED);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	one_cycle("two", 2);
}

START_TEST(child_of_a_thread_at_rest_gets_the_new_view)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	in_child(be_on_the_new_side);
	expect_state(patch, HOTPATCH_APPLYING);
	expect_open(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	await_drained(patch);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
}
END_TEST

static void be_on_the_old_side(void)
{
	struct hotpatch_patch *patch = find("one");

	expect_no_transition();
	ck_assert_int_eq(version(), 0);
	hotpatch_leave();
	ck_assert_int_eq(version(), 0);
	await_unmapped(patch);
	ck_assert_uint_eq(count_copies(), 0);
	one_cycle("one", 1);
}

static void fork_in_section(void *unused)
{
	(void)unused;
	in_child(be_on_the_old_side);
}

START_TEST(child_of_a_thread_in_an_old_section_keeps_the_old_view)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	holder_run(&holder, fork_in_section, NULL);
	expect_state(patch, HOTPATCH_APPLYING);
	ck_assert_int_eq(version_of(&holder), 0);
	ck_assert_int_eq(version(), 1);
	holder_stop(&holder);
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

static void still_have_the_patch(void)
{
	struct hotpatch_patch *patch = find("one");

	expect_no_transition();
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(version(), 1);
	hotpatch_leave();
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	one_cycle("two", 2);
}

static void fork_in_patched_section(void *unused)
{
	(void)unused;
	in_child(still_have_the_patch);
}

START_TEST(child_of_a_section_with_the_patch_keeps_it_during_a_revert)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	struct holder holder;

	holder_start(&holder);
	begin_revert(patch);
	ck_assert_int_eq(version(), 0);
	holder_run(&holder, fork_in_patched_section, NULL);
	ck_assert_int_eq(version_of(&holder), 1);
	expect_state(patch, HOTPATCH_REVERTING);
	holder_stop(&holder);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

/* ---- With exec ---- */

static pid_t spawn_self(void)
{
	static char name[] = "forks";
	static char argument[] = "one cycle";
	char *arguments[] = {name, argument, NULL};
	pid_t child = -1;

	ck_assert_int_eq(posix_spawn(&child, "/proc/self/exe", NULL, NULL,
				     arguments, environ),
			 0);
	return child;
}

static void exec_self(void)
{
	execl("/proc/self/exe", "forks", "one cycle", NULL);
	_exit(99);
}

START_TEST(program_that_is_started_meanwhile_begins_anew)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	needs_proc();
	holder_start(&holder);
	begin_apply(patch);
	in_child(exec_self);
	expect_success(spawn_self());
	expect_open(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

/* ---- Many ---- */

/* The sanitizers do not survive a fork() of any moment. */
#if !SANITIZED

static uint32_t stop_patching;

static void *patches_come_and_go(void *unused)
{
	(void)unused;
	while (!hp_load_relaxed(&stop_patching)) { /* a flag for itself */
		one_cycle("one", 1);
	}
	return NULL;
}

/*
 * The parent's patch may be there or not, and stays as it is. Without the means
 * of a test, whose lock another thread may have held.
 */
static int be_patched_as_well(void)
{
	struct hotpatch_process_info process;
	struct hotpatch_patch *patch;
	int before = version();

	hotpatch_process_info(&process);
	if (before < 0 || before > 1 || process.transition)
		return 2;
	if (hotpatch_patch_open(bundle_path("two"), NULL, &patch, NULL) ||
	    hotpatch_patch_apply(patch, NULL, NULL) ||
	    hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL))
		return 3;
	if (version() != 2)
		return 4;
	if (hotpatch_patch_revert(patch, NULL, NULL) ||
	    hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS, NULL))
		return 5;
	return version() == before ? 0 : 6;
}

static void fork_and_patch(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(be_patched_as_well());
	expect_success(child);
}

START_TEST(child_of_any_moment_can_be_patched)
{
	struct workers workers;
	pthread_t patcher;
	int i;

	needs_proc();
	workers_start(&workers, 1, saw_mixture);
	pthread_create(&patcher, NULL, patches_come_and_go, NULL);
	for (i = 0; i < FORKS; i++)
		fork_and_patch();
	hp_store_relaxed(&stop_patching, 1); /* as above */
	pthread_join(patcher, NULL);
	ck_assert_uint_eq(workers_stop(&workers), 0);
}
END_TEST

#endif

/* Without the means of a test, which this program is not then. */
static int cycle_alone(void)
{
	struct hotpatch_process_info process;
	struct hotpatch_patch *patch;
	bool seen;

	hotpatch_process_info(&process);
	if (process.transition || process.tasks || process.generation != 1)
		return 2;
	if (hotpatch_patch_open(bundle_path("one"), NULL, &patch, NULL) ||
	    hotpatch_patch_apply(patch, NULL, NULL) ||
	    hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL))
		return 3;
	seen = version() == 1;
	if (hotpatch_patch_revert(patch, NULL, NULL) ||
	    hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS, NULL))
		return 4;
	hotpatch_patch_close(patch);
	return seen && version() == 0 ? 0 : 5;
}

int main(int count, char **arguments)
{
	const TTest *const tests[] = {
		child_has_the_record_of_its_own_thread_only,
		child_reverts_without_harm_to_its_parent,
		child_of_a_thread_at_rest_gets_the_new_view,
		child_of_a_thread_in_an_old_section_keeps_the_old_view,
		child_of_a_section_with_the_patch_keeps_it_during_a_revert,
		program_that_is_started_meanwhile_begins_anew,
#if !SANITIZED
		child_of_any_moment_can_be_patched,
#endif
	};

	if (count > 1 && strcmp(arguments[1], "one cycle") == 0)
		return cycle_alone();
	return run_tests("forks", tests, sizeof(tests) / sizeof(tests[0]));
}
