/* SPDX-License-Identifier: MIT */
/*
 * Lines, requests and parameters of the control protocol, read from bytes that
 * others wrote.
 */
#include "../../lib/control/wire.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct hp_request request;
static struct hotpatch_error err;

static enum hotpatch_status parse(const char *line)
{
	return hp_control_parse_line(line, strlen(line), &request, &err);
}

static void forget_request(void)
{
	hp_request_release(&request);
}

START_TEST(request_gives_its_parts)
{
	ck_assert_int_eq(parse("{\"id\":7,\"method\":\"wait\","
			       "\"params\":{\"name\":\"a\"}}\n"),
			 HOTPATCH_OK);
	ck_assert_int_eq(json_integer_value(request.id), 7);
	ck_assert_str_eq(request.method, "wait");
	ck_assert_ptr_nonnull(json_object_get(request.params, "name"));
}
END_TEST

START_TEST(id_may_be_a_text)
{
	ck_assert_int_eq(parse("{\"id\":\"x\",\"method\":\"list\"}"),
			 HOTPATCH_OK);
	ck_assert_str_eq(json_string_value(request.id), "x");
}
END_TEST

START_TEST(params_may_be_missing_or_null)
{
	ck_assert_int_eq(parse("{\"id\":1,\"method\":\"list\"}"), HOTPATCH_OK);
	ck_assert_ptr_null(request.params);
	forget_request();
	ck_assert_int_eq(parse("{\"id\":1,\"method\":\"list\","
			       "\"params\":null}"),
			 HOTPATCH_OK);
	ck_assert_ptr_null(request.params);
}
END_TEST

START_TEST(unknown_members_are_ignored)
{
	ck_assert_int_eq(parse("{\"id\":1,\"method\":\"list\",\"new\":[1]}"),
			 HOTPATCH_OK);
}
END_TEST

static const char *const violations[] = {
	"",
	"\n",
	"x",
	"{",
	"[]",
	"1",
	"null",
	"{}",
	"{\"id\":1}",
	"{\"method\":\"list\"}",
	"{\"id\":1.5,\"method\":\"list\"}",
	"{\"id\":[],\"method\":\"list\"}",
	"{\"id\":1,\"method\":2}",
	"{\"id\":1,\"method\":\"list\",\"params\":[]}",
	"{\"id\":1,\"id\":2,\"method\":\"list\"}",
	"{\"id\":1,\"method\":\"list\"} {}",
	"{\"id\":1,\"method\":\"a\\u0000b\"}",
	"{\"id\":1,\"method\":\"\xff\"}",
};

START_TEST(anything_else_is_a_violation)
{
	ck_assert_int_eq(parse(violations[_i]), HOTPATCH_E_PROTOCOL);
	ck_assert_int_eq(err.status, HOTPATCH_E_PROTOCOL);
	ck_assert_str_ne(err.sentence, "");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	char *line = malloc(HP_WIRE_LINE_LIMIT);

	memset(line, '[', HP_WIRE_LINE_LIMIT);
	ck_assert_int_eq(hp_control_parse_line(line, HP_WIRE_LINE_LIMIT,
					       &request, &err),
			 HOTPATCH_E_PROTOCOL);
	free(line);
}
END_TEST

START_TEST(id_is_known_for_the_answer_to_a_violation)
{
	ck_assert_int_eq(parse("{\"id\":3,\"method\":4}"), HOTPATCH_E_PROTOCOL);
	ck_assert_int_eq(json_integer_value(request.id), 3);
}
END_TEST

START_TEST(missing_parameter_leaves_the_default)
{
	json_int_t number = 5;
	const char *text = "default";
	bool flag = true;

	ck_assert_int_eq(parse("{\"id\":1,\"method\":\"m\",\"params\":"
			       "{\"n\":null}}"),
			 HOTPATCH_OK);
	ck_assert_int_eq(hp_params_number(request.params, "n", 0, 9, &number,
					  &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(hp_params_text(NULL, "t", &text, &err), HOTPATCH_OK);
	ck_assert_int_eq(hp_params_flag(request.params, "f", &flag, &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(number, 5);
	ck_assert_str_eq(text, "default");
	ck_assert(flag);
}
END_TEST

START_TEST(parameter_of_another_type_is_refused_by_name)
{
	json_int_t number = 5;
	const char *text = NULL;
	bool flag = false;

	ck_assert_int_eq(parse("{\"id\":1,\"method\":\"m\",\"params\":"
			       "{\"n\":\"1\",\"t\":1,\"f\":0}}"),
			 HOTPATCH_OK);
	ck_assert_int_eq(hp_params_number(request.params, "n", 0, 9, &number,
					  &err),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_str_eq(err.object, "n");
	ck_assert_int_eq(hp_params_text(request.params, "t", &text, &err),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(hp_params_flag(request.params, "f", &flag, &err),
			 HOTPATCH_E_ARGUMENT);
}
END_TEST

START_TEST(number_out_of_range_is_refused)
{
	json_int_t number = 5;

	ck_assert_int_eq(parse("{\"id\":1,\"method\":\"m\",\"params\":"
			       "{\"low\":-1,\"high\":10}}"),
			 HOTPATCH_OK);
	ck_assert_int_eq(hp_params_number(request.params, "low", 0, 9, &number,
					  &err),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(hp_params_number(request.params, "high", 0, 9, &number,
					  &err),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(number, 5);
}
END_TEST

START_TEST(error_survives_the_way_there_and_back)
{
	struct hotpatch_error sent = {HOTPATCH_E_BUSY, 11, "object", "text"};
	struct hotpatch_error received;
	json_t *json = hp_wire_error(&sent);

	hp_wire_error_read(json, &received);
	json_decref(json);
	ck_assert_int_eq(received.status, sent.status);
	ck_assert_int_eq(received.os_error, sent.os_error);
	ck_assert_str_eq(received.object, sent.object);
	ck_assert_str_eq(received.sentence, sent.sentence);
}
END_TEST

START_TEST(error_without_a_code_is_still_an_error)
{
	struct hotpatch_error received;

	hp_wire_error_read(NULL, &received);
	ck_assert_int_eq(received.status, HOTPATCH_E_PROTOCOL);
}
END_TEST

START_TEST(text_that_is_not_utf8_is_still_sent)
{
	json_t *json = hp_wire_text("a\xff z");

	ck_assert_str_eq(json_string_value(json), "a? z");
	json_decref(json);
}
END_TEST

START_TEST(line_is_found_once_it_is_whole)
{
	struct hp_buffer buffer = {0};
	size_t size = 0;

	ck_assert(hp_buffer_append(&buffer, "on", 2));
	ck_assert_ptr_null(hp_buffer_line(&buffer, &size));
	ck_assert(hp_buffer_append(&buffer, "e\ntwo\n", 6));
	ck_assert_mem_eq(hp_buffer_line(&buffer, &size), "one\n", 4);
	ck_assert_uint_eq(size, 4);
	hp_buffer_consume(&buffer, size);
	ck_assert_mem_eq(hp_buffer_line(&buffer, &size), "two\n", 4);
	hp_buffer_consume(&buffer, size);
	ck_assert_uint_eq(buffer.size, 0);
	hp_buffer_release(&buffer);
}
END_TEST

START_TEST(bytes_stay_in_order_while_the_buffer_grows)
{
	struct hp_buffer buffer = {0};
	unsigned char next = 0;
	unsigned char want = 0;
	int i;

	for (i = 0; i < 10000; i++) {
		ck_assert(hp_buffer_append(&buffer, &next, 1));
		next++;
		if (i % 3)
			continue;
		ck_assert_int_eq((unsigned char)*hp_buffer_bytes(&buffer),
				 want);
		hp_buffer_consume(&buffer, 1);
		want++;
	}
	hp_buffer_release(&buffer);
}
END_TEST

START_TEST(answer_is_one_line)
{
	struct hp_buffer buffer = {0};
	json_t *id = json_integer(4);
	size_t size;

	ck_assert(hp_wire_write_result(&buffer, id,
				       json_pack("{s:s}", "text", "a\nb")));
	ck_assert_ptr_nonnull(hp_buffer_line(&buffer, &size));
	ck_assert_uint_eq(size, buffer.size);
	json_decref(id);
	hp_buffer_release(&buffer);
}
END_TEST

START_TEST(answer_that_could_not_be_made_leaves_no_bytes)
{
	struct hp_buffer buffer = {0};

	ck_assert(!hp_wire_write(&buffer, NULL));
	ck_assert_uint_eq(buffer.size, 0);
	hp_buffer_release(&buffer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_wire");
	TCase *requests = tcase_create("requests");
	TCase *bytes = tcase_create("bytes");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(requests, NULL, forget_request);
	tcase_add_test(requests, request_gives_its_parts);
	tcase_add_test(requests, id_may_be_a_text);
	tcase_add_test(requests, params_may_be_missing_or_null);
	tcase_add_test(requests, unknown_members_are_ignored);
	tcase_add_loop_test(requests, anything_else_is_a_violation, 0,
			    sizeof(violations) / sizeof(*violations));
	tcase_add_test(requests, deep_nesting_is_refused);
	tcase_add_test(requests, id_is_known_for_the_answer_to_a_violation);
	tcase_add_test(requests, missing_parameter_leaves_the_default);
	tcase_add_test(requests, parameter_of_another_type_is_refused_by_name);
	tcase_add_test(requests, number_out_of_range_is_refused);
	tcase_add_test(bytes, error_survives_the_way_there_and_back);
	tcase_add_test(bytes, error_without_a_code_is_still_an_error);
	tcase_add_test(bytes, text_that_is_not_utf8_is_still_sent);
	tcase_add_test(bytes, line_is_found_once_it_is_whole);
	tcase_add_test(bytes, bytes_stay_in_order_while_the_buffer_grows);
	tcase_add_test(bytes, answer_is_one_line);
	tcase_add_test(bytes, answer_that_could_not_be_made_leaves_no_bytes);
	suite_add_tcase(suite, requests);
	suite_add_tcase(suite, bytes);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
