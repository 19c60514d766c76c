/* SPDX-License-Identifier: MIT */
/*
 * Every call that makes the record of a task, and those that the library makes
 * before main() begins, made to fail in turn.
 */
#include "steps.h"

/* ---- Tasks ---- */

#define FIBERS 80 /* more than the first chunk of records */

static const struct expectation tasks_table[] = {
	TOLERATED(pthread_setspecific, NULL, STEP_ENTER,
		  "the thread stays one in no section, and an event tells"),
	REFUSED(mmap, NULL, STEP_START, HOTPATCH_E_NO_MEMORY),
	TABLE_END,
};

static void checked_enter(void)
{
	struct hotpatch_error none = {HOTPATCH_OK, 0, "", ""};
	size_t before = count_tasks();

	faults_arm(STEP_ENTER);
	hotpatch_enter();
	hotpatch_leave();
	if (end_step(HOTPATCH_OK, &none)) {
		demand(count_tasks() == before, "it has a record");
		demand(was_refused(HOTPATCH_E_NO_MEMORY),
		       "nothing tells of it");
		hotpatch_enter();
		hotpatch_leave();
	}
	demand(count_tasks() == before + 1, "it has no record");
}

static size_t make_fibers(struct hotpatch_task **fibers, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		fibers[i] = hotpatch_task_create(NULL);
		if (!fibers[i])
			break;
	}
	return i;
}

static void run_tasks(void)
{
	const struct hotpatch_error none = {HOTPATCH_E_NO_MEMORY, 0, "fiber",
					    "no record for a fiber"};
	struct hotpatch_task *fibers[FIBERS];
	size_t made;

	use_private_directory();
	checked_enter();
	faults_arm(STEP_START);
	made = make_fibers(fibers, FIBERS);
	end_step(made == FIBERS ? OK : HOTPATCH_E_NO_MEMORY, &none);
	demand(count_tasks() == made + 1, "%zu records", count_tasks());
	made += make_fibers(fibers + made, FIBERS - made);
	demand(made == FIBERS, "%zu fibers", made);
	while (made > 0)
		hotpatch_task_destroy(fibers[--made]);
	demand(count_tasks() == 1, "%zu records", count_tasks());
	clean_cycle();
	report_blocks();
}

START_TEST(every_fault_of_a_new_task_leaves_none)
{
	static const enum fault required[] = {FAULT_pthread_setspecific,
					      FAULT_mmap, FAULT_NONE};
	static const struct scenario scenario = {"tasks", run_tasks,
						 tasks_table, required, false};

	exhaust(&scenario);
}
END_TEST

/* ---- The start of the library ---- */

/* What main() says when it is told of a fault at the start. */
static int tell_start(void)
{
	struct hotpatch_process_info process;
	struct hotpatch_patch *patch = NULL;
	enum hotpatch_status opened;

	faults_disarm();
	hotpatch_process_info(&process);
	opened = hotpatch_patch_open(bundle_path("one"), NULL, &patch, NULL);
	if (opened == OK &&
	    (hotpatch_patch_apply(patch, NULL, NULL) ||
	     hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL) ||
	     version() != 1 || hotpatch_patch_revert(patch, NULL, NULL) ||
	     hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS, NULL)))
		return 1;
	hotpatch_patch_close(patch);
	printf("%d %s %s %d %d\n", injection.hit,
	       hotpatch_status_name(process.status),
	       hotpatch_status_name(opened), process.membarrier, version());
	return 0;
}

/* Starts this program anew, with the @number-th call of @fault failing. */
static void expect_start(enum fault fault, unsigned int number,
			 const char *expected)
{
	char command[600];
	char told[100] = "";
	FILE *output;

	snprintf(command, sizeof(command), FAULTS_AT_START "='%d %u 0' '%s'",
		 (int)fault, number, program_invocation_name);
	output = popen(command, "r");
	ck_assert_ptr_nonnull(output);
	ck_assert_msg(fgets(told, sizeof(told), output) != NULL, "no word");
	ck_assert_int_eq(pclose(output), 0);
	ck_assert_msg(strcmp(told, expected) == 0, "%s number %u: %s",
		      fault_name(fault), number, told);
	if (told[0] == '1')
		printf("start: %s number %u, hit\n", fault_name(fault), number);
}

/* What the library says of membarrier if it is not made to fail. */
#if defined(HP_FENCED) && HP_FENCED
#define MEMBARRIER "0"
#else
#define MEMBARRIER "1"
#endif

START_TEST(start_without_membarrier_takes_fences)
{
#if !defined(HP_FENCED) || !HP_FENCED
	expect_start(FAULT_membarrier, 1, "1 OK OK 0 0\n");
	expect_start(FAULT_membarrier, 2, "1 OK OK 0 0\n");
#endif
	expect_start(FAULT_membarrier, 3, "0 OK OK " MEMBARRIER " 0\n");
}
END_TEST

START_TEST(start_without_keys_or_fork_handlers_is_refused)
{
	expect_start(FAULT_pthread_key_create, 1,
		     "1 E_NO_MEMORY E_NO_MEMORY 0 0\n");
	expect_start(FAULT_pthread_atfork, 1,
		     "1 E_NO_MEMORY E_NO_MEMORY 0 0\n");
	expect_start(FAULT_pthread_atfork, 2,
		     "1 E_NO_MEMORY E_NO_MEMORY 0 0\n");
}
END_TEST

START_TEST(module_without_memory_for_its_table_is_not_patched)
{
	expect_start(FAULT_calloc, 1, "1 OK E_WRONG_TARGET " MEMBARRIER " 0\n");
	expect_start(FAULT_calloc, 2, "1 OK E_WRONG_TARGET " MEMBARRIER " 0\n");
	expect_start(FAULT_calloc, 3, "0 OK OK " MEMBARRIER " 0\n");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_a_new_task_leaves_none,
		start_without_membarrier_takes_fences,
		start_without_keys_or_fork_handlers_is_refused,
		module_without_memory_for_its_table_is_not_patched,
	};

	if (getenv(FAULTS_AT_START))
		return tell_start();
	return run_tests("start_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
