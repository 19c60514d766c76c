/* SPDX-License-Identifier: MIT */
/*
 * What is left of a process with a patch on probation: nothing, if both did
 * well; else the next start finds the bundle in quarantine, and why.
 */
#include "../integration/contain_host.h"
#include "../../lib/quarantine.h"
#include "root.h"

#include <hotpatch/hotpatch.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUNDLE HOTPATCH_TEST_BUNDLES "/bad.so"
#define LONG_MS 600000
#define PATIENCE_MS 20000

enum fault wanted;
int attempts;

HOTPATCH_FUNCTION(int, price, (int net, double rate))
{
	return net + (int)rate;
}

HOTPATCH_FUNCTION(void, note, (int net))
{
	(void)net;
}

HOTPATCH_FUNCTION(int, nested, (int depth))
{
	return depth;
}

HOTPATCH_RESTARTABLE(int, price, (int net, double rate), (net, rate))

static struct hp_quarantined found;
static char store[128];

static void set_up(void)
{
	make_root();
	snprintf(store, sizeof(store), "%s/store", root);
}

/* ---- In the process that comes first ---- */

static void must(enum hotpatch_status status)
{
	if (status != HOTPATCH_OK)
		_exit(100 - (int)status);
}

static void configure(void)
{
	const struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = store,
	};

	must(hotpatch_configure(&config, NULL));
}

static struct hotpatch_patch *apply_for(unsigned int probation_ms)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.probation_ms = probation_ms,
		.health_interval_ms = 1,
	};
	struct hotpatch_patch *patch;

	configure();
	/* A sanitizer's own would end the process otherwise. */
	signal(SIGSEGV, SIG_DFL);
	must(hotpatch_health_contain(NULL));
	must(hotpatch_patch_open(BUNDLE, NULL, &patch, NULL));
	must(hotpatch_patch_apply(patch, &options, NULL));
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL));
	return patch;
}

static void die_of_a_fault(void)
{
	apply_for(LONG_MS);
	wanted = FAULT_MEMORY;
	price(1, 1);
}

static void be_killed(void)
{
	apply_for(LONG_MS);
	raise(SIGKILL);
}

static void be_killed_after_it_passed(void)
{
	must(hotpatch_patch_wait(apply_for(20), HOTPATCH_HEALTHY, PATIENCE_MS,
				 NULL));
	raise(SIGKILL);
}

static void be_killed_after_a_revert(void)
{
	must(hotpatch_patch_revert(apply_for(LONG_MS), NULL, NULL));
	raise(SIGKILL);
}

static void exit_as_it_should(void)
{
	apply_for(LONG_MS);
	exit(0);
}

static void go_on_after_a_fault(void)
{
	struct hotpatch_patch *patch = apply_for(LONG_MS);

	wanted = FAULT_MEMORY;
	hotpatch_enter();
	if (HOTPATCH_RESTARTABLE_CALL(price)(1, 1) != 2)
		_exit(1);
	hotpatch_leave();
	if (hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, PATIENCE_MS, NULL) !=
	    HOTPATCH_E_UNHEALTHY)
		_exit(2);
	hotpatch_patch_close(patch);
	raise(SIGKILL);
}

static const char *is_never_well(void *argument)
{
	(void)argument;
	return "the backend is gone";
}

static void fail_and_be_killed(void)
{
	struct hotpatch_patch *patch;

	must(hotpatch_health_check(is_never_well, NULL, NULL));
	patch = apply_for(LONG_MS);
	if (hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, PATIENCE_MS, NULL) !=
	    HOTPATCH_E_UNHEALTHY)
		_exit(2);
	raise(SIGKILL);
}

/* ---- In the next one ---- */

static void run_first(void (*work)(void), int ends)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		work();
		_exit(3);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(ends ? WIFSIGNALED(status) && WTERMSIG(status) == ends :
			     status == 0,
		      "wait status %d", status);
}

static size_t count_quarantined(void)
{
	size_t count;

	configure();
	ck_assert_int_eq(hp_quarantine_list(NULL, &found, 1, &count, NULL),
			 HOTPATCH_OK);
	return count;
}

static void expect_quarantined(const char *reason)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};
	struct hotpatch_patch *patch = NULL;

	ck_assert_uint_eq(count_quarantined(), 1);
	ck_assert_str_eq(found.identity.name, "bad");
	ck_assert_msg(!strncmp(found.reason, reason, strlen(reason)), "%s",
		      found.reason);
	ck_assert_int_eq(hotpatch_patch_open(BUNDLE, NULL, &patch, &err),
			 HOTPATCH_E_QUARANTINED);
	ck_assert_msg(strstr(err.sentence, found.reason) != NULL, "%s",
		      err.sentence);
}

START_TEST(fault_is_told_at_the_next_start)
{
	run_first(die_of_a_fault, SIGSEGV);
	expect_quarantined("ended by itself: SIGSEGV at ");
	ck_assert_ptr_nonnull(strstr(found.reason, " of bad"));
}
END_TEST

START_TEST(who_was_killed_on_probation_left_a_marker)
{
	run_first(be_killed, SIGKILL);
	expect_quarantined("");
	ck_assert_str_ne(found.reason, "");
}
END_TEST

START_TEST(fault_that_was_survived_is_in_quarantine)
{
	run_first(go_on_after_a_fault, SIGKILL);
	expect_quarantined("SIGSEGV at ");
}
END_TEST

START_TEST(what_was_not_well_is_in_quarantine)
{
	run_first(fail_and_be_killed, SIGKILL);
	expect_quarantined("the backend is gone");
}
END_TEST

START_TEST(what_passed_leaves_nothing)
{
	run_first(be_killed_after_it_passed, SIGKILL);
	ck_assert_uint_eq(count_quarantined(), 0);
}
END_TEST

START_TEST(what_was_reverted_leaves_nothing)
{
	run_first(be_killed_after_a_revert, SIGKILL);
	ck_assert_uint_eq(count_quarantined(), 0);
}
END_TEST

START_TEST(who_exits_on_probation_leaves_nothing)
{
	run_first(exit_as_it_should, 0);
	ck_assert_uint_eq(count_quarantined(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fault_is_told_at_the_next_start,
		who_was_killed_on_probation_left_a_marker,
		fault_that_was_survived_is_in_quarantine,
		what_was_not_well_is_in_quarantine,
		what_passed_leaves_nothing,
		what_was_reverted_leaves_nothing,
		who_exits_on_probation_leaves_nothing,
	};

	return run_in_root("contain", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
