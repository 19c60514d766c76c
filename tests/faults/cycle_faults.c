/* SPDX-License-Identifier: MIT */
/*
 * Promise 2, all or nothing, with every call of the engine made to fail in
 * turn on the way of open, apply, wait, revert and unload. The tables tell
 * what each failure is answered with, and why some are none.
 */
#include "rows.h"
#include "steps.h"

static const struct expectation cycle_table[] = {
	QUARANTINE_ROWS, OPEN_ROWS,  CONFIGURED_ROWS,
	CHANGE_ROWS,	 UNMAP_ROWS, TABLE_END,
};

static void run_cycle(void)
{
	use_private_directory();
	begin_run();
	come_and_go("one", NULL, 1);
	end_run();
}

START_TEST(every_fault_of_a_cycle_leaves_all_or_nothing)
{
	static const enum fault required[] = {
		FAULT_openat,	 FAULT_read,	FAULT_pread,  FAULT_write,
		FAULT_fstat,	 FAULT_statvfs, FAULT_mkdir,  FAULT_fchmod,
		FAULT_linkat,	 FAULT_unlink,	FAULT_fopen,  FAULT_fgets,
		FAULT_opendir,	 FAULT_readdir, FAULT_malloc, FAULT_calloc,
		FAULT_realloc,	 FAULT_dlopen,	FAULT_dlsym,  FAULT_dlclose,
		FAULT_fdopendir, FAULT_NONE,
	};
	static const struct scenario scenario = {"cycle", run_cycle,
						 cycle_table, required, false};

	exhaust(&scenario);
}
END_TEST

/* Where the second way to write a file is the only one. */
static const struct expectation named_table[] = {
	REFUSED(fchmod, NULL, STEP_OPEN, HOTPATCH_E_STORE),
	REFUSED(openat, "part-", STEP_OPEN, HOTPATCH_E_STORE),
	/* For the end of the look, the sweep, and the directory; then for the
	 * copy. */
	WRITTEN_OTHERWISE(flock, "#4"),
	WRITTEN_OTHERWISE(flock, "#5"),
	WRITTEN_OTHERWISE(flock, "#6"),
	REFUSED(flock, "#7", STEP_OPEN, HOTPATCH_E_STORE),
	TOLERATED(unlinkat, NULL, STEP_OPEN, "its second name does no harm"),
	QUARANTINE_ROWS,
	OPEN_ROWS,
	CONFIGURED_ROWS,
	CHANGE_ROWS,
	UNMAP_ROWS,
	TABLE_END,
};

static void run_named(void)
{
	faults_names_needed = true;
	run_cycle();
}

START_TEST(every_fault_of_a_file_with_a_name_leaves_all_or_nothing)
{
	static const enum fault required[] = {FAULT_openat,   FAULT_fchmod,
					      FAULT_write,    FAULT_linkat,
					      FAULT_unlinkat, FAULT_NONE};
	static const struct scenario scenario = {"named file", run_named,
						 named_table, required, false};

	exhaust(&scenario);
}
END_TEST

#define NEXT_PLACE(fault, object)                                              \
	{                                                                      \
		FAULT_##fault, object, STEP_OPEN, OK, HOTPATCH_E_STORE,        \
			"the next place is taken"                              \
	}

static const struct expectation default_table[] = {
	REFUSED(openat, ".so", STEP_OPEN, HOTPATCH_E_IO),
	NEXT_PLACE(openat, NULL),
	/* The first is of the bundle, the last of the copy, and the others are
	 * of the path. */
	REFUSED(fstat, "#10", STEP_OPEN, HOTPATCH_E_STORE),
	REFUSED(fstat, "#1", STEP_OPEN, HOTPATCH_E_IO),
	NEXT_PLACE(fstat, NULL),
	NEXT_PLACE(flock, "#1"),
	NEXT_PLACE(realpath, NULL),
	OPEN_ROWS,
	{FAULT_mkdtemp, NULL, STEP_OPEN, OK, HOTPATCH_E_STORE,
	 "the next place is taken"},
	{FAULT_chmod, NULL, STEP_OPEN, OK, HOTPATCH_E_STORE,
	 "the next place is taken"},
	{FAULT_lstat, NULL, STEP_OPEN, OK, HOTPATCH_E_STORE,
	 "the next place is taken"},
	CHANGE_ROWS,
	UNMAP_ROWS,
	TABLE_END,
};

static void run_default_directory(void)
{
	setenv("XDG_RUNTIME_DIR", private_directory, 1);
	begin_run();
	come_and_go("one", NULL, 1);
	end_run();
}

START_TEST(every_fault_with_a_directory_of_the_library_leaves_all_or_nothing)
{
	static const enum fault required[] = {FAULT_mkdtemp, FAULT_chmod,
					      FAULT_lstat,   FAULT_realpath,
					      FAULT_rmdir,   FAULT_NONE};
	static const struct scenario scenario = {"default directory",
						 run_default_directory,
						 default_table, required,
						 false};

	exhaust(&scenario);
}
END_TEST

static const struct expectation constructor_table[] = {
	REFUSED(pipe2, NULL, STEP_OPEN, HOTPATCH_E_CONSTRUCTOR),
	REFUSED(fork, NULL, STEP_OPEN, HOTPATCH_E_CONSTRUCTOR),
	REFUSED(poll, "#1", STEP_OPEN, HOTPATCH_E_CONSTRUCTOR),
	TOLERATED(poll, NULL, STEP_OPEN, "a pause that is shorter then"),
	REFUSED(read, NULL, STEP_OPEN, HOTPATCH_E_CONSTRUCTOR),
	{FAULT_write, "#1", STEP_OPEN, HOTPATCH_E_STORE, HOTPATCH_E_STORE,
	 NULL},
	REFUSED(write, NULL, STEP_OPEN, HOTPATCH_E_CONSTRUCTOR),
	{FAULT_dlopen, "#1", STEP_OPEN, OK, HOTPATCH_E_LOAD,
	 "the first is the child's, which has returned"},
	TOLERATED(membarrier, NULL, STEP_OPEN, "in the child, which ends"),
	TOLERATED(waitpid, NULL, STEP_OPEN,
		  "the host may reap the child before the library does"),
	TOLERATED(prctl, NULL, STEP_OPEN, "in the child, a precaution"),
	TOLERATED(setrlimit, NULL, STEP_OPEN, "in the child, a precaution"),
	QUARANTINE_ROWS,
	OPEN_ROWS,
	CONFIGURED_ROWS,
	CHANGE_ROWS,
	UNMAP_ROWS,
	TABLE_END,
};

static void run_constructor(void)
{
	const struct hotpatch_open_options options = {
		.size = sizeof(options), .allow_constructors = true};

	use_private_directory();
	begin_run();
	come_and_go("constructor", &options, 3);
	end_run();
}

START_TEST(every_fault_of_a_rehearsal_leaves_all_or_nothing)
{
	static const enum fault required[] = {FAULT_pipe2,   FAULT_fork,
					      FAULT_poll,    FAULT_read,
					      FAULT_prctl,   FAULT_setrlimit,
					      FAULT_waitpid, FAULT_NONE};
	static const struct scenario scenario = {"constructor", run_constructor,
						 constructor_table, required,
						 false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_a_cycle_leaves_all_or_nothing,
		every_fault_of_a_file_with_a_name_leaves_all_or_nothing,
		every_fault_with_a_directory_of_the_library_leaves_all_or_nothing,
		every_fault_of_a_rehearsal_leaves_all_or_nothing,
	};

	return run_tests("cycle_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
