/* SPDX-License-Identifier: MIT */
/*
 * What is counted of requests, and from when on it is worse than before.
 */
#include "../../lib/health.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8
#define REPORTS 20000

static char reason[192];

static struct hp_health_summary summary(uint64_t requests, uint64_t errors,
					uint64_t mean_us, uint64_t tail_us)
{
	return (struct hp_health_summary){requests, errors, requests, mean_us,
					  tail_us};
}

static bool judge(struct hp_health_limits limits,
		  struct hp_health_summary before, struct hp_health_summary now)
{
	reason[0] = '\0';
	return hp_health_judge(&limits, &before, &now, reason, sizeof(reason));
}

static struct hp_health_summary reported(void)
{
	struct hp_health_figures figures;
	struct hp_health_summary result;

	hp_health_read(&figures);
	hp_health_sum_up(&figures, &result);
	return result;
}

START_TEST(classes_follow_one_another_without_a_gap)
{
	size_t i;

	for (i = 1; i < HP_HEALTH_CLASSES; i++) {
		ck_assert_uint_eq(hp_health_class(hp_health_class_limit(i)), i);
		ck_assert_uint_eq(
			hp_health_class(hp_health_class_limit(i - 1) + 1), i);
	}
	ck_assert_uint_eq(hp_health_class(0), 0);
	ck_assert_uint_eq(hp_health_class(UINT64_MAX - 1),
			  HP_HEALTH_CLASSES - 1);
}
END_TEST

START_TEST(class_is_no_wider_than_an_eighth)
{
	uint64_t least;
	size_t i;

	for (i = 1; i < HP_HEALTH_CLASSES; i++) {
		least = hp_health_class_limit(i - 1) + 1;
		ck_assert_uint_le(hp_health_class_limit(i) - least, least / 8);
	}
}
END_TEST

static void *report_many(void *argument)
{
	size_t i;

	(void)argument;
	for (i = 0; i < REPORTS; i++)
		hotpatch_health_report(i % 4 == 0,
				       i % 2 ? 10 : HOTPATCH_LATENCY_UNKNOWN);
	return NULL;
}

START_TEST(no_report_of_many_threads_is_lost)
{
	pthread_t threads[THREADS];
	struct hp_health_summary all;
	size_t i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, report_many,
						NULL),
				 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	all = reported();
	ck_assert_uint_eq(all.requests, THREADS * REPORTS);
	ck_assert_uint_eq(all.errors, THREADS * REPORTS / 4);
	ck_assert_uint_eq(all.timed, THREADS * REPORTS / 2);
	ck_assert_uint_eq(all.mean_us, 10);
	ck_assert_uint_eq(all.tail_us,
			  hp_health_class_limit(hp_health_class(10)));
}
END_TEST

START_TEST(mean_is_exact_and_tail_is_of_one_in_a_hundred)
{
	struct hp_health_figures since;
	struct hp_health_figures figures;
	struct hp_health_summary now;
	int i;

	hotpatch_health_report(true, 1);
	hp_health_read(&since);
	for (i = 0; i < 198; i++)
		hotpatch_health_report(false, 100);
	hotpatch_health_report(false, 5000);
	hotpatch_health_report(false, 5000);
	hp_health_read(&figures);
	hp_health_subtract(&figures, &since);
	hp_health_sum_up(&figures, &now);
	ck_assert_uint_eq(now.errors, 0);
	ck_assert_uint_eq(now.mean_us, (198 * 100 + 2 * 5000) / 200);
	ck_assert_uint_eq(now.tail_us,
			  hp_health_class_limit(hp_health_class(100)));
	hotpatch_health_report(false, 5000);
	hp_health_read(&figures);
	hp_health_subtract(&figures, &since);
	hp_health_sum_up(&figures, &now);
	ck_assert_uint_eq(now.tail_us,
			  hp_health_class_limit(hp_health_class(5000)));
}
END_TEST

START_TEST(nothing_reported_is_no_fault)
{
	const struct hp_health_limits all = {1, 100, 100};

	ck_assert(judge(all, summary(0, 0, 1, 1), summary(0, 0, 1, 1)));
	ck_assert(judge(all, summary(5000, 0, 9, 9), summary(0, 0, 1, 1)));
}
END_TEST

START_TEST(errors_are_compared_with_those_before)
{
	const struct hp_health_limits limits = {.errors = 10};
	const struct hp_health_summary before = summary(20000, 40, 1, 1);

	/* 20 of 10,000 before: 30 are allowed. */
	ck_assert(judge(limits, before, summary(10000, 30, 1, 1)));
	ck_assert(!judge(limits, before, summary(10000, 31, 1, 1)));
	ck_assert_str_eq(reason, "31 of 10000 requests failed, before it 40 of "
				 "20000");
}
END_TEST

START_TEST(few_requests_weigh_as_if_the_rest_had_succeeded)
{
	const struct hp_health_limits limits = {.errors = 100};
	const struct hp_health_summary none = summary(0, 0, 1, 1);

	/* Of 1,000 ten may fail, whatever the number so far. */
	ck_assert(judge(limits, none, summary(10, 10, 1, 1)));
	ck_assert(!judge(limits, none, summary(11, 11, 1, 1)));
	ck_assert(judge(limits, none, summary(1000, 10, 1, 1)));
	ck_assert(!judge(limits, none, summary(1000, 11, 1, 1)));
}
END_TEST

START_TEST(mean_beyond_its_limit_is_told_with_both_sides)
{
	const struct hp_health_limits limits = {.latency_percent = 150};
	const struct hp_health_summary before = summary(100, 0, 200, 1);

	ck_assert(judge(limits, before, summary(100, 0, 300, 9)));
	ck_assert(!judge(limits, before, summary(100, 0, 301, 9)));
	ck_assert_str_eq(reason, "requests take 301 us, before it 200 us");
}
END_TEST

START_TEST(tail_has_a_limit_of_its_own)
{
	const struct hp_health_limits limits = {.tail_percent = 200};
	const struct hp_health_summary before = summary(100, 0, 9, 1000);

	ck_assert(judge(limits, before, summary(100, 0, 99, 2000)));
	ck_assert(!judge(limits, before, summary(100, 0, 9, 2001)));
	ck_assert_str_eq(reason, "1 of 100 requests takes over 2001 us, before "
				 "it 1000 us");
}
END_TEST

START_TEST(latency_wants_a_hundred_on_both_sides)
{
	const struct hp_health_limits limits = {.latency_percent = 100};

	ck_assert(judge(limits, summary(99, 0, 1, 1), summary(500, 0, 90, 1)));
	ck_assert(judge(limits, summary(500, 0, 1, 1), summary(99, 0, 90, 1)));
	ck_assert(
		!judge(limits, summary(100, 0, 1, 1), summary(100, 0, 90, 1)));
}
END_TEST

START_TEST(limit_of_zero_is_none)
{
	const struct hp_health_limits none = {0};

	ck_assert(judge(none, summary(1000, 0, 1, 1),
			summary(1000, 1000, 5000, 5000)));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		classes_follow_one_another_without_a_gap,
		class_is_no_wider_than_an_eighth,
		no_report_of_many_threads_is_lost,
		mean_is_exact_and_tail_is_of_one_in_a_hundred,
		nothing_reported_is_no_fault,
		errors_are_compared_with_those_before,
		few_requests_weigh_as_if_the_rest_had_succeeded,
		mean_beyond_its_limit_is_told_with_both_sides,
		tail_has_a_limit_of_its_own,
		latency_wants_a_hundred_on_both_sides,
		limit_of_zero_is_none,
	};
	Suite *suite = suite_create("health");
	TCase *tests_case = tcase_create("health");
	SRunner *runner = srunner_create(suite);
	int failed;
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tests_case, tests[i]);
	suite_add_tcase(suite, tests_case);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
