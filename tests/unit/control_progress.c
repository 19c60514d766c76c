/* SPDX-License-Identifier: MIT */
/*
 * The line of progress that the command shows, from what a process answers.
 * Includes the source, which no library has.
 */
#include "../../lib/tools/progress.c"

#include <check.h>
#include <stdlib.h>

static char *written;
static size_t written_size;

const char *hp_json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

bool hp_terminal_obeys(void)
{
	return true;
}

json_int_t hp_json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void show_text(const char *status)
{
	FILE *terminal = stderr;
	json_t *json = json_loads(status, 0, NULL);

	stderr = open_memstream(&written, &written_size);
	hp_progress_show(json);
	fclose(stderr);
	stderr = terminal;
	json_decref(json);
}

START_TEST(first_in_the_way_is_named)
{
	show_text("{\"process\":{\"tasks\":3},\"blocker_count\":2,\"blockers\":"
		  "[{\"name\":\"worker\",\"thread\":7,\"age_ms\":1500,"
		  "\"function\":\"serve\"}]}");
	ck_assert_str_eq(written,
			 ERASE "draining: 2 of 3 tasks left, worker (tid 7) "
			       "1.5 s in serve");
}
END_TEST

START_TEST(what_is_done_is_told_when_nobody_is_in_the_way)
{
	show_text("{\"process\":{\"transition\":true}}");
	ck_assert_str_eq(written, ERASE "draining");
	free(written);
	show_text("{}");
	ck_assert_str_eq(written,
			 ERASE "unmapping: old code may still be in use");
}
END_TEST

START_TEST(names_cannot_command_the_terminal)
{
	show_text("{\"blocker_count\":1,\"blockers\":"
		  "[{\"name\":\"a\\u001b[2Jb\"}]}");
	ck_assert_ptr_nonnull(strstr(written, "a?[2Jb"));
}
END_TEST

START_TEST(line_never_wraps)
{
	char status[1200];

	snprintf(status, sizeof(status),
		 "{\"blocker_count\":1,\"blockers\":[{\"name\":\"%01000d\"}]}",
		 0);
	show_text(status);
	ck_assert_uint_lt(strlen(written), 512 + strlen(ERASE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_progress");
	TCase *tests = tcase_create("line");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, first_in_the_way_is_named);
	tcase_add_test(tests, what_is_done_is_told_when_nobody_is_in_the_way);
	tcase_add_test(tests, names_cannot_command_the_terminal);
	tcase_add_test(tests, line_never_wraps);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
