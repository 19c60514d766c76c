/* SPDX-License-Identifier: MIT */
/*
 * Figures as text: what is counted, that a short buffer cuts and does not
 * spill, and that a file is replaced whole or not at all. integration/metrics.sh
 * has the real parsers.
 */
#include "../../lib/event.h"

#include <check.h>
#include <hotpatch/observe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[1 << 16];
static char directory[64];
static char path[128];

static void set_up(void)
{
	strcpy(directory, "/tmp/hotpatch-metrics-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/host.prom", directory);
}

static void tear_down(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0); /* nothing else is left in it */
}

static void expect_line(const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	ck_assert_msg(strstr(text, whole), "no '%s' in\n%s", line, text);
}

START_TEST(phases_refusals_and_durations_are_counted)
{
	hp_event(HOTPATCH_PHASE_ACTIVE, HOTPATCH_OK, "x", NULL);
	hp_event(HOTPATCH_PHASE_ACTIVE, HOTPATCH_OK, "x", NULL);
	hp_event(HOTPATCH_PHASE_REFUSED, HOTPATCH_E_FORGED, "x", NULL);
	hp_event_duration(HP_DRAINING, 1500000);
	hp_event_duration(HP_DRAINING, 25);
	ck_assert_uint_lt(hotpatch_metrics_write(NULL, text, sizeof(text)),
			  sizeof(text));
	expect_line("hotpatch_phases_total{phase=\"active\"} 2");
	expect_line("hotpatch_phases_total{phase=\"forced\"} 0");
	expect_line("hotpatch_refusals_total{status=\"E_FORGED\"} 1");
	expect_line("hotpatch_drain_seconds_count 2");
	expect_line("hotpatch_drain_seconds_sum 1.500025");
	expect_line("hotpatch_working 1");
}
END_TEST

START_TEST(open_metrics_end_with_their_mark_and_the_others_do_not)
{
	const struct hotpatch_metrics_options options = {
		.size = sizeof(options),
		.textfile = true,
	};
	size_t length = hotpatch_metrics_write(NULL, text, sizeof(text));

	ck_assert_uint_eq(length, strlen(text));
	ck_assert_str_eq(text + length - 6, "# EOF\n");
	hotpatch_metrics_write(&options, text, sizeof(text));
	ck_assert_ptr_null(strstr(text, "# EOF"));
	ck_assert_ptr_null(strstr(text, " info\n"));
}
END_TEST

START_TEST(labels_name_the_process)
{
	const struct hotpatch_metrics_options options = {
		.size = sizeof(options),
		.labelled = true,
	};
	char line[256];

	hotpatch_metrics_write(&options, text, sizeof(text));
	snprintf(
		line, sizeof(line),
		"hotpatch_working{program=\"test_unit_metrics\",process=\"%d\"} "
		"1",
		(int)getpid());
	expect_line(line);
}
END_TEST

START_TEST(short_buffers_are_cut)
{
	static char short_text[1 << 16];
	size_t whole = hotpatch_metrics_write(NULL, text, sizeof(text));
	size_t size;

	ck_assert_uint_eq(hotpatch_metrics_write(NULL, NULL, 0), whole);
	for (size = 1; size < whole; size += 97) {
		memset(short_text, 'x', sizeof(short_text));
		hotpatch_metrics_write(NULL, short_text, size);
		ck_assert_uint_lt(strlen(short_text), size);
		ck_assert_int_eq(short_text[size], 'x');
		ck_assert(!memcmp(short_text, text, strlen(short_text)));
	}
}
END_TEST

START_TEST(file_is_replaced_in_one_step)
{
	struct stat before;
	struct stat after;

	ck_assert_int_eq(hotpatch_metrics_save(path, NULL, NULL), HOTPATCH_OK);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(hotpatch_metrics_save(path, NULL, NULL), HOTPATCH_OK);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_ne(before.st_ino, after.st_ino);
	ck_assert_int_gt(after.st_size, 1000);
}
END_TEST

START_TEST(files_that_cannot_be_written_are_refused)
{
	struct hotpatch_metrics_options wrong = {.size = 1};

	ck_assert_int_eq(hotpatch_metrics_save("x.prom", NULL, NULL),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(hotpatch_metrics_save("/none/x.prom", NULL, NULL),
			 HOTPATCH_E_NOT_FOUND);
	ck_assert_int_eq(hotpatch_metrics_save(path, &wrong, NULL),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(hotpatch_metrics_save(path, NULL, NULL),
			 HOTPATCH_E_IO);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tests = tcase_create("metrics");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, phases_refusals_and_durations_are_counted);
	tcase_add_test(tests,
		       open_metrics_end_with_their_mark_and_the_others_do_not);
	tcase_add_test(tests, labels_name_the_process);
	tcase_add_test(tests, short_buffers_are_cut);
	tcase_add_test(tests, file_is_replaced_in_one_step);
	tcase_add_test(tests, files_that_cannot_be_written_are_refused);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(make_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
