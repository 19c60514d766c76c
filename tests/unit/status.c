/* SPDX-License-Identifier: MIT */
/*
 * Status codes and the errors that carry them.
 */
#include "../../lib/status.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const enum hotpatch_status codes[] = {
#define CODE(name, value, text) HOTPATCH_##name,
	HOTPATCH_STATUS_MAP(CODE)
#undef CODE
};

#define CODES (sizeof(codes) / sizeof(codes[0]))

START_TEST(codes_go_down_from_ok_and_none_is_used_twice)
{
	size_t i;

	ck_assert_int_eq(codes[0], 0);
	for (i = 1; i < CODES; i++)
		ck_assert_int_lt(codes[i], codes[i - 1]);
}
END_TEST

START_TEST(every_code_has_a_name_and_a_text_of_its_own)
{
	size_t i;
	size_t k;

	for (i = 0; i < CODES; i++) {
		ck_assert_str_ne(hotpatch_status_text(codes[i]), "");
		for (k = 0; k < i; k++) {
			ck_assert_str_ne(hotpatch_status_name(codes[i]),
					 hotpatch_status_name(codes[k]));
			ck_assert_str_ne(hotpatch_status_text(codes[i]),
					 hotpatch_status_text(codes[k]));
		}
	}
	ck_assert_str_eq(hotpatch_status_name(HOTPATCH_OK), "OK");
	ck_assert_str_eq(hotpatch_status_name(HOTPATCH_E_BUSY), "E_BUSY");
}
END_TEST

START_TEST(value_that_is_no_code_has_a_name_too)
{
	ck_assert_str_eq(hotpatch_status_name((enum hotpatch_status)1),
			 "E_UNKNOWN");
	ck_assert_str_eq(hotpatch_status_name((enum hotpatch_status) - 999),
			 "E_UNKNOWN");
	ck_assert_str_ne(hotpatch_status_text((enum hotpatch_status)1), "");
}
END_TEST

START_TEST(error_has_every_field_filled)
{
	struct hotpatch_error err;

	memset(&err, 'x', sizeof(err));
	ck_assert_int_eq(hp_error(&err, HOTPATCH_E_IO, 5, "a.so", "%s: %d",
				  "a.so", 7),
			 HOTPATCH_E_IO);
	ck_assert_int_eq(err.status, HOTPATCH_E_IO);
	ck_assert_int_eq(err.os_error, 5);
	ck_assert_str_eq(err.object, "a.so");
	ck_assert_str_eq(err.sentence, "a.so: 7");
}
END_TEST

START_TEST(error_without_an_object_has_an_empty_one)
{
	struct hotpatch_error err;

	memset(&err, 'x', sizeof(err));
	hp_error(&err, HOTPATCH_E_IO, 0, NULL, "%s", "nothing");
	ck_assert_str_eq(err.object, "");
}
END_TEST

START_TEST(error_that_nobody_wants_is_only_a_status)
{
	ck_assert_int_eq(hp_error(NULL, HOTPATCH_E_LIMIT, 0, "a", "%s", "b"),
			 HOTPATCH_E_LIMIT);
}
END_TEST

START_TEST(text_that_does_not_fit_ends_in_dots)
{
	struct hotpatch_error err;
	char text[600];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	hp_error(&err, HOTPATCH_E_IO, 0, text, "%s", text);
	ck_assert_uint_eq(strlen(err.object), sizeof(err.object) - 1);
	ck_assert_uint_eq(strlen(err.sentence), sizeof(err.sentence) - 1);
	ck_assert_str_eq(err.object + strlen(err.object) - 4, "a...");
	ck_assert_str_eq(err.sentence + strlen(err.sentence) - 4, "a...");
}
END_TEST

START_TEST(text_that_just_fits_is_whole)
{
	char place[8];

	memset(place, 'x', sizeof(place));
	hp_text_copy(place, sizeof(place), "1234567");
	ck_assert_str_eq(place, "1234567");
	hp_text_copy(place, sizeof(place), "12345678");
	ck_assert_str_eq(place, "1234...");
	hp_text_copy(place, sizeof(place), NULL);
	ck_assert_str_eq(place, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status");
	TCase *all = tcase_create("status");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(all, codes_go_down_from_ok_and_none_is_used_twice);
	tcase_add_test(all, every_code_has_a_name_and_a_text_of_its_own);
	tcase_add_test(all, value_that_is_no_code_has_a_name_too);
	tcase_add_test(all, error_has_every_field_filled);
	tcase_add_test(all, error_without_an_object_has_an_empty_one);
	tcase_add_test(all, error_that_nobody_wants_is_only_a_status);
	tcase_add_test(all, text_that_does_not_fit_ends_in_dots);
	tcase_add_test(all, text_that_just_fits_is_whole);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
