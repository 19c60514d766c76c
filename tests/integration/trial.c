/* SPDX-License-Identifier: MIT */
/*
 * Patches on probation: watched for their time, taken back when the process is
 * not well, and let go by everything else that ends it.
 */
#include "support.h"

#include <sys/wait.h>

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

#define SHORT_MS 30
#define LONG_MS 600000

/* ---- The host's function ---- */

static uint32_t asked;
static int bad_price = -1; /* the process is not well while it has this one */
static sem_t in_check;
static sem_t leave_check;
static enum hotpatch_status answer_within;
static unsigned int polled_within;
static struct hotpatch_patch *other;

static const char *check_price(void *argument)
{
	hp_add_relaxed(&asked, 1); /* relaxed: a counter */
	return price(0) == bad_price ? argument : NULL;
}

static const char *check_and_change(void *argument)
{
	(void)argument;
	answer_within = hotpatch_patch_apply(other, NULL, NULL);
	polled_within = hotpatch_poll();
	return NULL;
}

static const char *check_for_long(void *argument)
{
	(void)argument;
	sem_post(&in_check);
	await_semaphore(&leave_check);
	return NULL;
}

static const char *check_once(void *argument)
{
	(void)argument;
	hp_add_relaxed(&asked, 1); /* relaxed: a counter */
	expect_ok(hotpatch_health_check(NULL, NULL, &err));
	return NULL;
}

static char gone[] = "the backend is gone";

static void set_check(const char *(*check)(void *))
{
	expect_ok(hotpatch_health_check(check, gone, &err));
}

static uint32_t times_asked(void)
{
	return hp_load_relaxed(&asked); /* relaxed: a counter */
}

/* ---- Applying ---- */

static struct hotpatch_apply_options watched_for(unsigned int probation_ms)
{
	return (struct hotpatch_apply_options){
		.size = sizeof(struct hotpatch_apply_options),
		.probation_ms = probation_ms,
		.health_interval_ms = 1,
	};
}

static struct hotpatch_patch *
apply_with(const char *name, const struct hotpatch_apply_options *options)
{
	struct hotpatch_patch *patch = open_bundle(name);

	expect_ok(hotpatch_patch_apply(patch, options, &err));
	return patch;
}

static struct hotpatch_patch *apply_watched(const char *name,
					    unsigned int probation_ms)
{
	const struct hotpatch_apply_options options = watched_for(probation_ms);

	return apply_with(name, &options);
}

static void expect_passes(struct hotpatch_patch *patch)
{
	expect_ok(hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, PATIENCE_MS,
				      &err));
	expect_state(patch, HOTPATCH_ACTIVE);
}

static bool is_emulated(void)
{
	return getenv("HOTPATCH_TEST_EMULATED") != NULL;
}

/* Under an emulator nothing is unmapped, and that is the last that is told. */
static void expect_reason(const struct hotpatch_patch_info *info,
			  const char *reason)
{
	if (!is_emulated())
		ck_assert_str_eq(info->reason, reason);
}

/* The wait, and what is known of it afterwards, say @reason. */
static void expect_taken_back(struct hotpatch_patch *patch, const char *reason)
{
	struct hotpatch_patch_info info;
	struct hotpatch_error err;
	char sentence[512];

	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_HEALTHY,
					     PATIENCE_MS, &err),
			 HOTPATCH_E_UNHEALTHY);
	hotpatch_patch_info(patch, &info);
	snprintf(sentence, sizeof(sentence), "%s was taken back: %s", info.name,
		 reason);
	ck_assert_str_eq(err.sentence, sentence);
	await_unmapped(patch);
	hotpatch_patch_info(patch, &info);
	expect_reason(&info, reason);
	if (!is_emulated())
		ck_assert_int_eq(info.status, HOTPATCH_E_UNHEALTHY);
	ck_assert_uint_eq(info.probation_ms, 0);
}

static uint64_t probation_left(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	return info.probation_ms;
}

#define MOVED(patch)                                                           \
	"staged " patch "\ndetoured " patch "\nadvanced " patch                \
	"\ndrained " patch "\nsettled " patch "\n"

/* ---- What becomes of it ---- */

START_TEST(patch_passes_when_its_time_is_over)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch;

	set_check(check_price);
	patch = apply_watched("ready", SHORT_MS);
	ck_assert_uint_gt(probation_left(patch), 0);
	ck_assert_uint_le(probation_left(patch), SHORT_MS);
	expect_passes(patch);
	ck_assert_uint_eq(probation_left(patch), 0);
	ck_assert_uint_gt(times_asked(), 0);
	expect_events(start, "opened ready\nprepared ready\n" MOVED(
				     "ready") "committed ready\nactive ready\n"
					      "probation ready\nhealthy "
					      "ready\n");
}
END_TEST

START_TEST(bad_answer_takes_it_back_through_all_phases)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch;

	bad_price = 50;
	set_check(check_price);
	patch = apply_watched("ready", LONG_MS);
	expect_taken_back(patch, gone);
	ck_assert_int_eq(price(0), 1);
	ck_assert_str_eq(find_event(start, HOTPATCH_PHASE_UNHEALTHY).object,
			 gone);
	expect_events(
		start,
		"opened ready\nprepared ready\n" MOVED(
			"ready") "committed ready\nactive ready\n"
				 "probation ready\nunhealthy ready\nleaving "
				 "ready\n" MOVED("ready") "left ready\n"
							  "reverted ready\n"
							  "unmapped ready\n");
}
END_TEST

START_TEST(failed_requests_take_it_back)
{
	struct hotpatch_apply_options options = watched_for(LONG_MS);
	struct hotpatch_patch *patch;
	int i;

	options.health_errors = 50;
	for (i = 0; i < 1000; i++)
		hotpatch_health_report(i < 10, HOTPATCH_LATENCY_UNKNOWN);
	patch = apply_with("fix", &options);
	for (i = 0; i < 1000; i++)
		hotpatch_health_report(i < 15, HOTPATCH_LATENCY_UNKNOWN);
	hotpatch_poll();
	expect_state(patch, HOTPATCH_ACTIVE);
	hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	expect_taken_back(patch, "17 of 1002 requests failed, before it 10 of "
				 "1000");
}
END_TEST

static void report_latencies(uint64_t latency_us)
{
	int i;

	for (i = 0; i < 100; i++)
		hotpatch_health_report(false, latency_us);
}

START_TEST(slow_requests_take_it_back)
{
	struct hotpatch_apply_options options = watched_for(LONG_MS);
	struct hotpatch_patch *patch;

	options.health_latency_percent = 150;
	report_latencies(200);
	patch = apply_with("fix", &options);
	report_latencies(300);
	hotpatch_poll();
	expect_state(patch, HOTPATCH_ACTIVE);
	report_latencies(304);
	expect_taken_back(patch, "requests take 302 us, before it 200 us");
}
END_TEST

START_TEST(before_is_since_a_patch_came_or_went_last)
{
	struct hotpatch_apply_options options = watched_for(LONG_MS);
	struct hotpatch_patch *patch;
	int i;

	options.health_errors = 1;
	for (i = 0; i < 1000; i++)
		hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	remove_patch(apply_bundle("over"));
	patch = apply_with("fix", &options);
	hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	expect_taken_back(patch, "1 of 1 requests failed, before it 0 of 0");
}
END_TEST

START_TEST(nobody_is_asked_without_a_patch_on_probation)
{
	struct hotpatch_patch *patch;
	uint32_t times;

	set_check(check_price);
	apply_bundle("over");
	hotpatch_poll();
	ck_assert_uint_eq(times_asked(), 0);
	patch = apply_watched("fix", SHORT_MS);
	expect_passes(patch);
	times = times_asked();
	ck_assert_uint_gt(times, 1);
	ck_assert_uint_eq(hotpatch_poll(), 0);
	ck_assert_uint_eq(times_asked(), times);
}
END_TEST

START_TEST(probation_counts_as_under_way)
{
	struct hotpatch_patch *patch = apply_watched("fix", LONG_MS);

	ck_assert_uint_eq(hotpatch_poll(), 1);
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, 1, &err));
	remove_patch(patch);
	ck_assert_uint_eq(hotpatch_poll(), 0);
}
END_TEST

START_TEST(patch_that_is_not_watched_is_healthy_when_it_is_active)
{
	expect_passes(apply_bundle("fix"));
}
END_TEST

/* ---- The host's function, hostile ---- */

START_TEST(changes_are_refused_in_the_function)
{
	struct hotpatch_patch *patch;

	other = open_bundle("over");
	set_check(check_and_change);
	answer_within = HOTPATCH_OK;
	patch = apply_watched("fix", SHORT_MS);
	expect_passes(patch);
	ck_assert_int_eq(answer_within, HOTPATCH_E_IN_CALLBACK);
	ck_assert_uint_eq(polled_within, 0);
	expect_state(other, HOTPATCH_LOADED);
}
END_TEST

START_TEST(function_may_take_itself_away)
{
	set_check(check_once);
	expect_passes(apply_watched("fix", SHORT_MS));
	ck_assert_uint_eq(times_asked(), 1);
}
END_TEST

static void *poll_once(void *argument)
{
	(void)argument;
	hotpatch_poll();
	return NULL;
}

static void *replace_check(void *argument)
{
	(void)argument;
	set_check(NULL);
	return NULL;
}

START_TEST(function_that_hangs_is_a_failure_that_others_notice)
{
	struct hotpatch_patch *patch;
	pthread_t poller;
	pthread_t replacer;

	sem_init(&in_check, 0, 0);
	sem_init(&leave_check, 0, 0);
	set_check(check_for_long);
	patch = open_bundle("fix");
	apply(patch);
	remove_patch(patch);
	patch = apply_watched("fix", LONG_MS);
	ck_assert_int_eq(pthread_create(&poller, NULL, poll_once, NULL), 0);
	await_semaphore(&in_check);
	ck_assert_int_eq(pthread_create(&replacer, NULL, replace_check, NULL),
			 0);
	expect_taken_back(patch, "the health check took over 1.0 s");
	/* Who takes the function away waits for it. */
	ck_assert_int_eq(pthread_tryjoin_np(replacer, NULL), EBUSY);
	sem_post(&leave_check);
	pthread_join(poller, NULL);
	pthread_join(replacer, NULL);
}
END_TEST

/* ---- What else ends it ---- */

START_TEST(revert_ends_it_without_a_verdict)
{
	struct hotpatch_patch *patch = apply_watched("fix", LONG_MS);
	uint64_t start = events_now();

	revert(patch);
	expect_status(HOTPATCH_E_STATE,
		      hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, 0, &err));
	await_unmapped(patch);
	expect_events(start, MOVED("fix") "reverted fix\nunmapped fix\n");
}
END_TEST

START_TEST(replaced_patch_is_on_probation_no_more)
{
	struct hotpatch_patch *patch = apply_watched("fix", LONG_MS);
	struct hotpatch_patch *heir = apply_watched("heir", SHORT_MS);

	expect_passes(heir);
	expect_status(HOTPATCH_E_STATE,
		      hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, 0, &err));
	ck_assert_uint_eq(probation_left(patch), 0);
}
END_TEST

START_TEST(of_two_on_probation_the_newer_goes)
{
	struct hotpatch_patch *fix = apply_watched("fix", 200);
	struct hotpatch_patch *over;

	bad_price = 20;
	set_check(check_price);
	over = apply_watched("over", LONG_MS);
	expect_taken_back(over, gone);
	ck_assert_int_eq(price(0), 10);
	expect_passes(fix);
}
END_TEST

START_TEST(who_requires_it_goes_before_it)
{
	struct hotpatch_apply_options options = watched_for(LONG_MS);
	struct hotpatch_patch_info info;
	struct hotpatch_patch *needs;
	struct hotpatch_patch *fix;

	options.health_errors = 1;
	fix = apply_with("fix", &options);
	needs = apply_bundle("needs");
	hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	expect_taken_back(fix, "1 of 1 requests failed, before it 0 of 0");
	expect_state(needs, HOTPATCH_CLOSED);
	hotpatch_patch_info(needs, &info);
	expect_reason(&info, "fix, which it requires, failed: 1 of 1 requests "
			     "failed, before it 0 of 0");
	ck_assert_int_eq(price(0), 1);
}
END_TEST

START_TEST(patch_that_fails_during_another_change_goes_after_it)
{
	struct hotpatch_apply_options options = watched_for(LONG_MS);
	struct hotpatch_patch *fix;
	struct hotpatch_patch *over;
	struct holder holder;

	options.health_errors = 1;
	fix = apply_with("fix", &options);
	holder_start(&holder);
	over = open_bundle("over");
	begin_apply(over);
	hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	ck_assert_uint_gt(hotpatch_poll(), 0);
	expect_state(fix, HOTPATCH_ACTIVE);
	holder_stop(&holder);
	expect_taken_back(fix, "1 of 1 requests failed, before it 0 of 0");
	expect_state(over, HOTPATCH_ACTIVE);
}
END_TEST

START_TEST(applied_again_on_its_way_out_it_is_watched_anew)
{
	struct hotpatch_apply_options options = watched_for(SHORT_MS);
	struct hotpatch_patch_info info;
	struct hotpatch_patch *fix;
	struct holder holder;

	options.health_errors = 1;
	fix = apply_with("fix", &options);
	holder_start(&holder);
	hotpatch_health_report(true, HOTPATCH_LATENCY_UNKNOWN);
	hotpatch_poll();
	expect_state(fix, HOTPATCH_REVERTING);
	expect_ok(hotpatch_patch_apply(fix, &options, &err));
	holder_stop(&holder);
	expect_passes(fix);
	hotpatch_patch_info(fix, &info);
	ck_assert_str_eq(info.reason, "");
	ck_assert_int_eq(info.status, HOTPATCH_OK);
}
END_TEST

START_TEST(refused_revert_leaves_it_on_probation)
{
	struct hotpatch_patch *fix = apply_watched("fix", LONG_MS);
	struct hotpatch_patch *needs = apply_bundle("needs");

	expect_status(HOTPATCH_E_REQUIRES,
		      hotpatch_patch_revert(fix, NULL, &err));
	ck_assert_uint_gt(probation_left(fix), 0);
	remove_patch(needs);
	ck_assert_uint_gt(probation_left(fix), 0);
}
END_TEST

/* Exits as the patch fares in the child, where the process is not well. */
static int fail_in_child(struct hotpatch_patch *patch)
{
	bad_price = 10;
	return hotpatch_patch_wait(patch, HOTPATCH_HEALTHY, PATIENCE_MS,
				   NULL) == HOTPATCH_E_UNHEALTHY &&
			       price(0) == 1 ?
		       EXIT_SUCCESS :
		       EXIT_FAILURE;
}

START_TEST(child_of_a_fork_goes_on_by_itself)
{
	struct hotpatch_patch *patch;
	int status;
	pid_t child;

	set_check(check_price);
	patch = apply_watched("fix", 300);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(fail_in_child(patch));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	expect_passes(patch);
	ck_assert_int_eq(price(0), 10);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		patch_passes_when_its_time_is_over,
		bad_answer_takes_it_back_through_all_phases,
		failed_requests_take_it_back,
		slow_requests_take_it_back,
		before_is_since_a_patch_came_or_went_last,
		nobody_is_asked_without_a_patch_on_probation,
		probation_counts_as_under_way,
		patch_that_is_not_watched_is_healthy_when_it_is_active,
		changes_are_refused_in_the_function,
		function_may_take_itself_away,
		function_that_hangs_is_a_failure_that_others_notice,
		revert_ends_it_without_a_verdict,
		replaced_patch_is_on_probation_no_more,
		of_two_on_probation_the_newer_goes,
		who_requires_it_goes_before_it,
		patch_that_fails_during_another_change_goes_after_it,
		applied_again_on_its_way_out_it_is_watched_anew,
		refused_revert_leaves_it_on_probation,
		child_of_a_fork_goes_on_by_itself,
	};

	return run_tests("trial", tests, sizeof(tests) / sizeof(tests[0]));
}
