/* SPDX-License-Identifier: MIT */
/*
 * The command's table of exit codes. The table is part of the command, not of
 * the library, so it is compiled in here.
 */
#include "../../lib/tools/exit.c"

#include <check.h>
#include <stdlib.h>

static const enum hotpatch_status statuses[] = {
#define STATUS(name, value, text) HOTPATCH_##name,
	HOTPATCH_STATUS_MAP(STATUS)
#undef STATUS
};

START_TEST(every_status_has_exactly_one_exit_code)
{
	size_t found = 0;
	size_t i;

	for (i = 0; i < sizeof(exits) / sizeof(*exits); i++)
		found += exits[i].status == statuses[_i];
	ck_assert_uint_eq(found, 1);
	ck_assert_int_ge(hp_exit_code(statuses[_i]), 0);
	ck_assert_int_le(hp_exit_code(statuses[_i]), 8);
}
END_TEST

START_TEST(unknown_status_is_told_apart)
{
	ck_assert_int_eq(hp_exit_code((enum hotpatch_status)12345), -1);
}
END_TEST

START_TEST(only_what_is_as_wished_exits_with_zero)
{
	bool wished = statuses[_i] == HOTPATCH_OK ||
		      statuses[_i] == HOTPATCH_E_ALREADY;

	ck_assert_int_eq(hp_exit_code(statuses[_i]) == 0, wished);
}
END_TEST

int main(void)
{
	const int count = sizeof(statuses) / sizeof(*statuses);
	Suite *suite = suite_create("control_exit");
	TCase *table = tcase_create("table");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(table, every_status_has_exactly_one_exit_code, 0,
			    count);
	tcase_add_loop_test(table, only_what_is_as_wished_exits_with_zero, 0,
			    count);
	tcase_add_test(table, unknown_status_is_told_apart);
	suite_add_tcase(suite, table);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
