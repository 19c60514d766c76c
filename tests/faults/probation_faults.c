/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of bundles on probation, and of those that shall be on:
 * whatever fails, it is there or it was said that it is not, and what a dead
 * process left is not lost.
 */
#include "steps.h"

#include "../../lib/desired.h"
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

/* ---- What is desired ---- */

static char bytes[] = "the bundle";
static char more_bytes[] = "its signature";

static enum hotpatch_status add(const char *name, struct hotpatch_error *err)
{
	const struct hp_file bundle = {bytes, sizeof(bytes),
				       hp_file_digest(bytes, sizeof(bytes))};
	const struct hp_file signature = {more_bytes, sizeof(more_bytes), 0};
	const struct hp_desired_bundle copies = {&bundle, &signature, NULL, 0};
	struct hp_desired desired = {.constructors = false};

	strcpy(desired.identity.name, name);
	strcpy(desired.identity.program, name);
	hp_identity_contents(&bundle, desired.identity.contents);
	return hp_desired_add(&desired, &copies, err);
}

static void checked_add(const char *name)
{
	enum hotpatch_status status;

	if (armed_step(STEP_APPLY, status, add(name, &err)) && status != OK) {
		demand_cause(status);
		status = add(name, NULL);
	}
	/* Only the flush of the directory may have failed. */
	demand(status == OK || status == HOTPATCH_E_ALREADY, "adding is %s",
	       hotpatch_status_name(status));
}

static void checked_remove(const char *name)
{
	enum hotpatch_status status;

	if (armed_step(STEP_RELEASE, status,
		       hp_desired_remove(name, NULL, &err)) &&
	    status != OK) {
		demand_cause(status);
		status = hp_desired_remove(name, NULL, NULL);
	}
	demand(status == OK || status == HOTPATCH_E_ALREADY, "removing is %s",
	       hotpatch_status_name(status));
}

/* A list that cannot be read is not taken for an empty one, nor a copy that
 * cannot be read for a good one. */
static void checked_read(const char *name)
{
	enum hotpatch_status status;
	struct hp_desired_set set;
	int signature_fd = -1;
	int bundle_fd = -1;

	if (armed_step(STEP_LOOK, status, hp_desired_read(name, &set, &err)) &&
	    status != OK) {
		demand_cause(status);
		demand(!set.count && !set.list, "something was read");
		status = hp_desired_read(name, &set, NULL);
	}
	demand(status == OK && set.count == 1, "reading is %s",
	       hotpatch_status_name(status));
	if (armed_step(STEP_OPEN, status,
		       hp_desired_open(&set.list[0].identity, &bundle_fd,
				       &signature_fd, &err)) &&
	    status != OK) {
		demand_cause(status);
		demand(bundle_fd < 0 && signature_fd < 0, "something is open");
		status = hp_desired_open(&set.list[0].identity, &bundle_fd,
					 &signature_fd, NULL);
	}
	demand(status == OK && signature_fd >= 0, "opening is %s",
	       hotpatch_status_name(status));
	close(bundle_fd);
	close(signature_fd);
	free(set.list);
}

static void run_desired(void)
{
	struct hp_desired_set set;
	struct facts before;
	struct facts now;

	use_private_directory();
	/* The list is there from now on. */
	demand(!add("other", NULL) && !hp_desired_remove("other", NULL, NULL),
	       "adding and removing");
	before = facts_now(version());
	checked_add("server");
	checked_read("server");
	checked_remove("server");
	/* What could not be removed goes with the next look. */
	demand(!hp_desired_read("server", &set, NULL) && !set.count, "reading");
	free(set.list);
	now = facts_now(version());
	demand_same(&before, &now, 0);
	report_blocks();
}

START_TEST(every_fault_of_what_is_desired_is_told_and_leaves_nothing)
{
	static const enum fault required[] = {FAULT_openat,    FAULT_write,
					      FAULT_fchmod,    FAULT_fsync,
					      FAULT_mkdirat,   FAULT_renameat,
					      FAULT_fdopendir, FAULT_malloc,
					      FAULT_NONE};
	static const struct scenario scenario = {"desired", run_desired, NULL,
						 required, false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_what_is_desired_is_told_and_leaves_nothing,
		every_fault_of_probation_is_told_and_forgets_nobody,
	};

	return run_tests("probation_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
