/* SPDX-License-Identifier: MIT */
/*
 * The command's end of a connection, when the process at the other end says
 * what it should not. Includes the source, which no library has.
 */
#define hp_socket_connect connect_to_test /* the library has the real one */
#include "../../lib/tools/client.c"

#include <check.h>
#include <pthread.h>

#define GREETING "{\"hotpatch\":1,\"access\":\"admin\"}\n"

static const struct hp_options options = {.socket = "stands for itself"};
static int process;
static int command;
static unsigned int shown;
static struct hp_session session;
static struct hotpatch_error err;

enum hotpatch_status hp_socket_connect(const char *path, int *fd,
				       struct hotpatch_error *error)
{
	(void)path;
	(void)error;
	*fd = command;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_find_socket(const struct hp_options *wanted, char *path,
				    struct hotpatch_error *error)
{
	(void)wanted;
	(void)path;
	return hp_error(error, HOTPATCH_E_NO_PROCESS, 0, "", "none");
}

bool hp_progress_wanted(void)
{
	return false;
}

void hp_progress_show(const json_t *status)
{
	(void)status;
	shown++;
}

void hp_progress_clear(void)
{
}

json_int_t hp_json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *hp_json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void set_up(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	process = ends[0];
	command = ends[1];
}

static void say(const char *text)
{
	ck_assert_int_eq(write(process, text, strlen(text)),
			 (ssize_t)strlen(text));
}

static enum hotpatch_status ask_for(long timeout_ms)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.timeout_ms = timeout_ms,
		.progress = true,
	};
	json_t *result;
	enum hotpatch_status status = hp_session_call(&session, "list", NULL,
						      &request, &result, &err);

	json_decref(result);
	return status;
}

static enum hotpatch_status ask(void)
{
	return ask_for(60000);
}

START_TEST(answer_is_found_among_other_lines)
{
	say(GREETING "{\"id\":5,\"result\":{}}\n{\"id\":1,\"result\":{}}\n");
	ck_assert_int_eq(hp_session_open(&options, &session, &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(ask(), HOTPATCH_OK);
	hp_session_close(&session);
}
END_TEST

START_TEST(progress_that_was_not_asked_for_is_not_shown)
{
	say(GREETING "{\"id\":5,\"result\":{}}\n{\"id\":1,\"result\":{}}\n");
	ck_assert_int_eq(hp_session_open(&options, &session, &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(ask(), HOTPATCH_OK);
	ck_assert_uint_eq(shown, 0);
	hp_session_close(&session);
}
END_TEST

START_TEST(greeting_that_is_no_object_is_refused)
{
	say("[]\n");
	ck_assert_int_eq(hp_session_open(&options, &session, &err),
			 HOTPATCH_E_PROTOCOL);
	ck_assert_ptr_null(session.greeting);
}
END_TEST

static void *say_without_end(void *unused)
{
	static char bytes[65536];

	(void)unused;
	memset(bytes, 'x', sizeof(bytes));
	while (send(process, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

START_TEST(line_that_does_not_end_is_refused)
{
	pthread_t thread;

	say(GREETING);
	ck_assert_int_eq(hp_session_open(&options, &session, &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(pthread_create(&thread, NULL, say_without_end, NULL),
			 0);
	ck_assert_int_eq(ask(), HOTPATCH_E_PROTOCOL);
	ck_assert_uint_le(session.input.size, 2 * HP_WIRE_ANSWER_LIMIT);
	hp_session_close(&session); /* which ends the thread */
	pthread_join(thread, NULL);
}
END_TEST

/* Answers the second question, which is for the status. */
static void *say_what_lasts(void *answer)
{
	char byte;
	int lines = 0;

	while (lines < 2 && read(process, &byte, 1) == 1)
		lines += byte == '\n';
	say(answer);
	return NULL;
}

static void expect_while(const char *answer, enum hotpatch_status expected,
			 const char *sentence)
{
	pthread_t thread;

	say(GREETING);
	ck_assert_int_eq(hp_session_open(&options, &session, &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(pthread_create(&thread, NULL, say_what_lasts,
					(void *)(uintptr_t)answer),
			 0);
	ck_assert_int_eq(ask_for(1), expected);
	ck_assert_str_eq(err.sentence, sentence);
	pthread_join(thread, NULL);
	hp_session_close(&session);
}

START_TEST(callback_that_lasts_is_no_silence)
{
	expect_while("{\"id\":2,\"result\":{\"patches\":[{\"name\":\"slow\","
		     "\"callback\":\"prepare\"}]}}\n",
		     HOTPATCH_E_TIMEOUT,
		     "The process answers, but not to this yet: the prepare of "
		     "slow has not returned.");
}
END_TEST

START_TEST(change_that_lasts_is_no_silence)
{
	expect_while("{\"id\":2,\"result\":{\"patches\":[]}}\n",
		     HOTPATCH_E_TIMEOUT,
		     "The process answers, but not to this yet.");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_client");
	TCase *tests = tcase_create("answers");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, answer_is_found_among_other_lines);
	tcase_add_test(tests, progress_that_was_not_asked_for_is_not_shown);
	tcase_add_test(tests, greeting_that_is_no_object_is_refused);
	tcase_add_test(tests, line_that_does_not_end_is_refused);
	tcase_add_test(tests, callback_that_lasts_is_no_silence);
	tcase_add_test(tests, change_that_lasts_is_no_silence);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
