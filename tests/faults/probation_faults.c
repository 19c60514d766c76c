/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of bundles on probation: whatever fails, a marker is there
 * or it was said that it is not, and what a dead process left is not lost.
 */
#include "steps.h"

#include "../../lib/probation.h"

#include <sys/wait.h>

static const struct hp_identity fix = {
	.program = "server",
	.contents = "0123456789abcdef-4711",
	.name = "fix",
};
static const struct hp_identity dead = {
	.program = "server",
	.contents = "ffffffffffffffff-1",
	.name = "dead",
};

/* Who is on probation, or in quarantine, in a process that is gone. */
static void leave_one(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(hp_probation_mark(&dead, NULL) != HOTPATCH_OK);
	demand(child > 0 && waitpid(child, &status, 0) == child && !status,
	       "the child ended with %#x", (unsigned int)status);
}

static void demand_cause(enum hotpatch_status status)
{
	demand(status == HOTPATCH_E_STORE || status == HOTPATCH_E_IO ||
		       status == HOTPATCH_E_NO_MEMORY,
	       "it is %s", hotpatch_status_name(status));
}

static void checked_mark(void)
{
	enum hotpatch_status status;

	if (armed_step(STEP_APPLY, status, hp_probation_mark(&fix, &err)) &&
	    status != OK) {
		demand_cause(status);
		status = hp_probation_mark(&fix, NULL);
	}
	demand(status == OK, "marking is %s", hotpatch_status_name(status));
}

/* It never says that there is nothing. */
static void checked_settle(void)
{
	enum hotpatch_status status;

	if (armed_step(STEP_LOOK, status,
		       hp_quarantine_find(&dead, NULL, &err)) &&
	    status != HOTPATCH_E_QUARANTINED) {
		demand_cause(status);
		status = hp_quarantine_find(&dead, NULL, NULL);
	}
	demand(status == HOTPATCH_E_QUARANTINED, "looking is %s",
	       hotpatch_status_name(status));
	status = hp_quarantine_find(&fix, NULL, NULL);
	demand(status == OK, "who lives is %s", hotpatch_status_name(status));
}

static void checked_forgive(void)
{
	enum hotpatch_status status;

	if (armed_step(STEP_RELEASE, status,
		       hp_quarantine_forgive("server", "dead", &err)) &&
	    status != OK) {
		demand_cause(status);
		status = hp_quarantine_forgive("server", "dead", NULL);
	}
	/* Only the flush of the directory may have failed. */
	demand(status == OK || status == HOTPATCH_E_ALREADY, "forgiving is %s",
	       hotpatch_status_name(status));
}

static void checked_clear(void)
{
	enum hotpatch_status status;

	if (armed_step(STEP_CLOSE, status, hp_probation_clear(&fix, &err)) &&
	    status != OK)
		demand_cause(status);
	status = hp_probation_clear(&fix, NULL);
	demand(status == OK, "clearing is %s", hotpatch_status_name(status));
}

static void run_probation(void)
{
	struct facts before;
	struct facts now;

	use_private_directory();
	/* The list is there from now on. */
	demand(!hp_quarantine_add(&dead, "x", NULL), "adding");
	demand(!hp_quarantine_forgive("server", NULL, NULL), "forgiving");
	before = facts_now(version());
	leave_one();
	checked_mark();
	checked_settle();
	checked_forgive();
	checked_clear();
	/* A folder that could not be removed goes with the next marker. */
	demand(!hp_probation_mark(&fix, NULL), "marking");
	demand(!hp_probation_clear(&fix, NULL), "clearing");
	now = facts_now(version());
	demand_same(&before, &now, 0);
	report_blocks();
}

START_TEST(every_fault_of_probation_is_told_and_forgets_nobody)
{
	static const enum fault required[] = {FAULT_fcntl,    FAULT_mkdirat,
					      FAULT_openat,   FAULT_write,
					      FAULT_fsync,    FAULT_unlinkat,
					      FAULT_renameat, FAULT_readlink,
					      FAULT_NONE};
	static const struct scenario scenario = {"probation", run_probation,
						 NULL, required, false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_probation_is_told_and_forgets_nobody,
	};

	return run_tests("probation_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
