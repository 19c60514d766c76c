/* SPDX-License-Identifier: MIT */
/*
 * The control protocol as its clients see it: requests, answers, and bundles
 * passed as descriptors.
 */
#include "control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

#define LINE_LIMIT (64 << 10)
#define FIX HOTPATCH_TEST_BUNDLES "/fix.so"
#define MORE HOTPATCH_TEST_BUNDLES "/more.so"

static sem_t inside;
static sem_t leave;

HOTPATCH_FUNCTION(int, control_answer, (void))
{
	return 1;
}

static void *stay_inside(void *argument)
{
	(void)argument;
	hotpatch_enter();
	sem_post(&inside);
	while (sem_wait(&leave))
		;
	hotpatch_leave();
	return NULL;
}

/* A thread that keeps every transition open until @leave is posted. */
static pthread_t block(void)
{
	pthread_t thread;

	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, stay_inside, NULL), 0);
	while (sem_wait(&inside))
		;
	return thread;
}

static void unblock(pthread_t thread)
{
	sem_post(&leave);
	pthread_join(thread, NULL);
}

static void send_apply(const struct client *client, const char *file,
		       const char *request)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	send_with_descriptors(client, request, fd, 1);
	close(fd);
}

static void apply_and_wait(struct client *client, const char *file,
			   const char *name)
{
	char request[128];

	send_apply(client, file, "{\"id\":50,\"method\":\"apply\"}\n");
	expect_result(client, 50);
	snprintf(request, sizeof(request),
		 "{\"id\":51,\"method\":\"wait\",\"params\":{\"name\":\"%s\"}}"
		 "\n",
		 name);
	send_text(client, request);
	expect_result(client, 51);
}

START_TEST(greeting_names_protocol_process_and_build)
{
	static const char build_id[] = "\"build_id\":\"";
	const char *greeting;
	char pid[32];

	snprintf(pid, sizeof(pid), "\"pid\":%d,", (int)getpid());
	first.fd = try_connect();
	greeting = receive(&first);
	ck_assert_ptr_nonnull(greeting);
	ck_assert_ptr_nonnull(strstr(greeting, "\"hotpatch\":1,"));
	ck_assert_ptr_nonnull(strstr(greeting, pid));
	ck_assert_ptr_nonnull(strstr(greeting, "\"access\":\"admin\""));
	greeting = strstr(greeting, build_id);
	ck_assert_ptr_nonnull(greeting);
	ck_assert_uint_eq(strspn(greeting + sizeof(build_id) - 1,
				 "0123456789abcdef"),
			  40);
}
END_TEST

START_TEST(unknown_method_is_refused_and_the_connection_lives)
{
	join(&first);
	send_text(&first, "{\"id\":1,\"method\":\"explode\"}\n");
	expect_error(&first, "E_PROTOCOL");
	expect_alive(&first);
}
END_TEST

START_TEST(line_that_is_no_request_is_refused_and_the_connection_lives)
{
	join(&first);
	send_text(&first, "\n[]\n{\"id\":\n");
	expect_error(&first, "E_PROTOCOL");
	expect_error(&first, "E_PROTOCOL");
	expect_error(&first, "E_PROTOCOL");
	expect_alive(&first);
}
END_TEST

START_TEST(unknown_members_are_ignored)
{
	join(&first);
	send_text(&first, "{\"id\":1,\"method\":\"status\",\"new\":1,"
			  "\"params\":{\"newer\":2}}\n");
	expect_result(&first, 1);
}
END_TEST

START_TEST(request_that_comes_byte_by_byte_is_served)
{
	const char *request = "{\"id\":1,\"method\":\"list\"}\n";

	join(&first);
	for (; *request; request++)
		send_bytes(&first, request, 1);
	expect_result(&first, 1);
}
END_TEST

START_TEST(requests_that_come_together_are_answered_in_order)
{
	join(&first);
	send_text(&first, "{\"id\":1,\"method\":\"list\"}\n"
			  "{\"id\":2,\"method\":\"events\"}\n"
			  "{\"id\":3,\"method\":\"status\"}\n");
	expect_result(&first, 1);
	expect_result(&first, 2);
	expect_result(&first, 3);
}
END_TEST

START_TEST(longest_line_is_served_and_a_longer_one_ends_the_connection)
{
	static char line[LINE_LIMIT + 1];
	static const char request[] = "{\"id\":1,\"method\":\"ping\"}";

	join(&first);
	memset(line, ' ', sizeof(line));
	memcpy(line, request, sizeof(request) - 1);
	line[LINE_LIMIT - 1] = '\n';
	send_bytes(&first, line, LINE_LIMIT);
	expect_result(&first, 1);
	line[LINE_LIMIT - 1] = ' ';
	line[LINE_LIMIT] = '\n';
	send_bytes(&first, line, LINE_LIMIT + 1);
	expect_error(&first, "E_PROTOCOL");
	ck_assert_ptr_null(receive(&first));
	join(&second);
}
END_TEST

START_TEST(list_tells_functions)
{
	join(&first);
	send_text(&first, "{\"id\":1,\"method\":\"list\"}\n");
	ck_assert_ptr_nonnull(strstr(expect_result(&first, 1),
				     "\"name\":\"control_answer\""));
}
END_TEST

START_TEST(bundle_passed_as_descriptor_becomes_active)
{
	join(&first);
	apply_and_wait(&first, FIX, "control-fix");
	ck_assert_int_eq(control_answer(), 2);
}
END_TEST

START_TEST(second_apply_changes_nothing_and_says_so)
{
	join(&first);
	apply_and_wait(&first, FIX, "control-fix");
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	ck_assert_ptr_nonnull(
		strstr(expect_result(&first, 1), "\"already\":true"));
}
END_TEST

START_TEST(apply_without_a_descriptor_is_refused)
{
	join(&first);
	send_text(&first, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_error(&first, "E_ARGUMENT");
}
END_TEST

START_TEST(reverted_patch_is_unmapped)
{
	join(&first);
	apply_and_wait(&first, FIX, "control-fix");
	send_text(&first, "{\"id\":1,\"method\":\"revert\",\"params\":"
			  "{\"name\":\"control-fix\"}}\n"
			  "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-fix\",\"goal\":\"unmapped\"}}"
			  "\n");
	expect_result(&first, 1);
	ck_assert_ptr_nonnull(
		strstr(expect_result(&first, 2), "\"state\":\"closed\""));
	ck_assert_int_eq(control_answer(), 1);
}
END_TEST

START_TEST(revert_all_reverts_every_patch)
{
	join(&first);
	apply_and_wait(&first, FIX, "control-fix");
	apply_and_wait(&first, MORE, "control-more");
	ck_assert_int_eq(control_answer(), 3);
	send_text(&first, "{\"id\":1,\"method\":\"revert\",\"params\":"
			  "{\"all\":true,\"turn_ms\":10000}}\n");
	ck_assert_ptr_nonnull(
		strstr(expect_result(&first, 1),
		       "\"patches\":[\"control-more\",\"control-fix\"]"));
	send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-fix\",\"goal\":\"unmapped\"}}"
			  "\n");
	expect_result(&first, 2);
	ck_assert_int_eq(control_answer(), 1);
}
END_TEST

START_TEST(wait_is_answered_later_and_keeps_nobody_waiting)
{
	pthread_t thread = block();

	join(&first);
	join(&second);
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_result(&first, 1);
	send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-fix\"}}\n");
	expect_alive(&first);
	expect_alive(&second);
	unblock(thread);
	expect_result(&first, 2);
}
END_TEST

START_TEST(wait_ends_at_its_timeout_and_names_who_is_in_the_way)
{
	pthread_t thread = block();

	join(&first);
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_result(&first, 1);
	send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-fix\",\"timeout_ms\":20}}\n");
	expect_error(&first, "E_TIMEOUT");
	unblock(thread);
}
END_TEST

START_TEST(missed_deadline_turns_the_transition_round)
{
	pthread_t thread = block();

	join(&first);
	send_apply(&first, FIX,
		   "{\"id\":1,\"method\":\"apply\",\"params\":"
		   "{\"deadline_ms\":20}}\n");
	expect_result(&first, 1);
	send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-fix\"}}\n");
	expect_error(&first, "E_STALLED");
	unblock(thread);
	ck_assert_int_eq(control_answer(), 1);
}
END_TEST

START_TEST(second_change_waits_for_its_turn_when_asked_to)
{
	pthread_t thread = block();

	join(&first);
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_result(&first, 1);
	send_apply(&first, MORE, "{\"id\":2,\"method\":\"apply\"}\n");
	expect_error(&first, "E_BUSY");
	send_apply(&first, MORE,
		   "{\"id\":3,\"method\":\"apply\",\"params\":"
		   "{\"turn_ms\":10000}}\n");
	expect_alive(&first);
	unblock(thread);
	expect_result(&first, 3);
}
END_TEST

START_TEST(refused_apply_leaves_no_patch_behind)
{
	pthread_t thread = block();

	join(&first);
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_result(&first, 1);
	send_apply(&first, MORE, "{\"id\":2,\"method\":\"apply\"}\n");
	expect_error(&first, "E_BUSY");
	ck_assert_uint_eq(hotpatch_patch_list(NULL, 0), 1);
	unblock(thread);
}
END_TEST

START_TEST(seventeenth_outstanding_request_is_refused)
{
	pthread_t thread = block();
	int i;

	join(&first);
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_result(&first, 1);
	for (i = 0; i < 17; i++)
		send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
				  "{\"name\":\"control-fix\"}}\n");
	expect_error(&first, "E_LIMIT");
	unblock(thread);
	for (i = 0; i < 16; i++)
		expect_result(&first, 2);
}
END_TEST

START_TEST(client_that_does_not_read_harms_nobody)
{
	char request[] = "{\"id\":1,\"method\":\"status\"}\n";
	int i;

	join(&first);
	join(&second);
	ck_assert_int_eq(fcntl(first.fd, F_SETFL, O_NONBLOCK), 0);
	for (i = 0; i < 100000; i++) {
		if (send(first.fd, request, sizeof(request) - 1, MSG_NOSIGNAL) <
		    0)
			break;
	}
	ck_assert_int_eq(errno, EAGAIN);
	expect_alive(&second);
}
END_TEST

START_TEST(client_that_goes_away_while_it_waits_is_forgotten)
{
	pthread_t thread = block();
	size_t before;

	join(&second);
	join(&first);
	send_apply(&first, FIX, "{\"id\":1,\"method\":\"apply\"}\n");
	expect_result(&first, 1);
	send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-fix\"}}\n");
	before = count_descriptors("socket:");
	close(first.fd);
	/* The second answer comes from a round that began after the end. */
	expect_alive(&second);
	expect_alive(&second);
	ck_assert_uint_eq(count_descriptors("socket:"), before - 2);
	unblock(thread);
}
END_TEST

START_TEST(descriptors_that_nobody_wants_are_closed)
{
	size_t before;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	join(&first);
	before = count_descriptors("/dev/null");
	send_with_descriptors(&first, "{\"id\":1,\"method\":\"ping\"}\n", fd,
			      8);
	expect_result(&first, 1);
	expect_alive(&first);
	ck_assert_uint_eq(count_descriptors("/dev/null"), before);
}
END_TEST

START_TEST(only_the_last_two_descriptors_are_kept)
{
	size_t before;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int i;

	join(&first);
	before = count_descriptors("/dev/null");
	for (i = 0; i < 20; i++)
		send_with_descriptors(&first, " ", fd, 1);
	/* While a line is torn, what came before it may still be wanted. */
	send_text(&first, "{\"id\":1,\"method\":\"ping\"}\n{");
	expect_result(&first, 1);
	ck_assert_uint_eq(count_descriptors("/dev/null"), before + 2);
	send_text(&first, "}\n");
	expect_error(&first, "E_PROTOCOL");
	ck_assert_uint_eq(count_descriptors("/dev/null"), before);
}
END_TEST

START_TEST(descriptor_that_is_no_bundle_is_refused)
{
	join(&first);
	send_apply(&first, "/dev/null", "{\"id\":1,\"method\":\"apply\"}\n");
	expect_error(&first, "E_NOT_REGULAR");
	expect_alive(&first);
}
END_TEST

START_TEST(signature_that_did_not_come_along_is_refused)
{
	join(&first);
	send_apply(&first, FIX,
		   "{\"id\":1,\"method\":\"apply\",\"params\":{\"signature\":"
		   "true}}\n");
	expect_error(&first, "E_ARGUMENT");
	expect_alive(&first);
}
END_TEST

/* Nothing is asked of bundles here, so it is not even looked at. */
START_TEST(second_descriptor_is_the_signature_and_not_the_bundle)
{
	size_t before;
	int fd = open(FIX, O_RDONLY | O_CLOEXEC);

	join(&first);
	before = count_descriptors("/");
	send_with_descriptors(&first,
			      "{\"id\":1,\"method\":\"apply\",\"params\":{"
			      "\"signature\":true}}\n",
			      fd, 2);
	expect_result(&first, 1);
	ck_assert_ptr_nonnull(strstr(first.line, "\"key_id\":\"\""));
	expect_alive(&first);
	/* But for the mark of its private copy. */
	ck_assert_uint_le(count_descriptors("/"), before + 2);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, start_server, stop_server);
	tcase_add_test(all, greeting_names_protocol_process_and_build);
	tcase_add_test(all, unknown_method_is_refused_and_the_connection_lives);
	tcase_add_test(
		all,
		line_that_is_no_request_is_refused_and_the_connection_lives);
	tcase_add_test(all, unknown_members_are_ignored);
	tcase_add_test(all, request_that_comes_byte_by_byte_is_served);
	tcase_add_test(all, requests_that_come_together_are_answered_in_order);
	tcase_add_test(
		all,
		longest_line_is_served_and_a_longer_one_ends_the_connection);
	tcase_add_test(all, list_tells_functions);
	tcase_add_test(all, bundle_passed_as_descriptor_becomes_active);
	tcase_add_test(all, second_apply_changes_nothing_and_says_so);
	tcase_add_test(all, apply_without_a_descriptor_is_refused);
	tcase_add_test(all, reverted_patch_is_unmapped);
	tcase_add_test(all, revert_all_reverts_every_patch);
	tcase_add_test(all, wait_is_answered_later_and_keeps_nobody_waiting);
	tcase_add_test(all,
		       wait_ends_at_its_timeout_and_names_who_is_in_the_way);
	tcase_add_test(all, missed_deadline_turns_the_transition_round);
	tcase_add_test(all, second_change_waits_for_its_turn_when_asked_to);
	tcase_add_test(all, refused_apply_leaves_no_patch_behind);
	tcase_add_test(all, seventeenth_outstanding_request_is_refused);
	tcase_add_test(all, client_that_does_not_read_harms_nobody);
	tcase_add_test(all, client_that_goes_away_while_it_waits_is_forgotten);
	tcase_add_test(all, descriptors_that_nobody_wants_are_closed);
	tcase_add_test(all, only_the_last_two_descriptors_are_kept);
	tcase_add_test(all, descriptor_that_is_no_bundle_is_refused);
	tcase_add_test(all, signature_that_did_not_come_along_is_refused);
	tcase_add_test(all,
		       second_descriptor_is_the_signature_and_not_the_bundle);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
