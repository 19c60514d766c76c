/* SPDX-License-Identifier: MIT */
/*
 * Callbacks that take long: who waits for them, and who does not.
 */
#include "control_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>

#define FIX HOTPATCH_TEST_BUNDLES "/fix.so"
#define LINGER HOTPATCH_TEST_BUNDLES "/linger.so"

/* The callback that stays, until @leave is posted; @pid of the child that it
 * forks, if it is to. */
static const char *lingering = "";
static bool forking;
static pid_t forked = -1;
static pthread_t runner;
static sem_t inside;
static sem_t leave;

HOTPATCH_FUNCTION(int, control_answer, (void))
{
	return 1;
}

/* Called by the bundle. */
void control_linger(const char *callback);
void control_linger(const char *callback)
{
	if (strcmp(callback, lingering) != 0)
		return;
	runner = pthread_self();
	if (forking)
		forked = fork();
	if (!forked)
		return;
	sem_post(&inside);
	while (sem_wait(&leave))
		;
}

static void start_lingering_server(void)
{
	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	start_server();
}

static void send_apply(const struct client *client, const char *file,
		       const char *request)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	send_with_descriptors(client, request, fd, 1);
	close(fd);
}

static void await_linger(void)
{
	while (sem_wait(&inside))
		;
}

/* @first asks for the change of which @callback stays away. */
static void linger_in(const char *callback)
{
	lingering = callback;
	join(&first);
	send_apply(&first, LINGER, "{\"id\":1,\"method\":\"apply\"}\n");
	if (strstr(callback, "revert")) {
		expect_result(&first, 1);
		send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
				  "{\"name\":\"control-linger\"}}\n");
		expect_result(&first, 2);
		send_text(&first, "{\"id\":1,\"method\":\"revert\",\"params\":"
				  "{\"name\":\"control-linger\"}}\n");
	}
	await_linger();
}

static void return_from(const char *callback)
{
	lingering = "";
	sem_post(&leave);
	expect_result(&first, 1);
	send_text(&first, "{\"id\":2,\"method\":\"wait\",\"params\":"
			  "{\"name\":\"control-linger\"}}\n");
	expect_result(&first, 2);
	if (strstr(callback, "revert"))
		ck_assert_int_eq(control_answer(), 1);
	else
		ck_assert_int_gt(control_answer(), 1);
}

static const char *const callbacks[] = {"prepare", "commit", "before-revert",
					"after-revert"};

START_TEST(others_are_answered_while_a_callback_lingers)
{
	static struct client third;
	const char *callback = callbacks[_i];
	char member[64];

	join(&second);
	linger_in(callback);
	expect_alive(&second);
	expect_alive(&first);
	join(&third);
	send_text(&second, "{\"id\":3,\"method\":\"list\"}\n"
			   "{\"id\":4,\"method\":\"events\"}\n"
			   "{\"id\":5,\"method\":\"status\"}\n");
	expect_result(&second, 3);
	expect_result(&second, 4);
	snprintf(member, sizeof(member), "\"callback\":\"%s\"", callback);
	ck_assert_ptr_nonnull(strstr(expect_result(&second, 5), member));
	return_from(callback);
}
END_TEST

START_TEST(wait_beside_a_lingering_callback_ends_at_its_timeout)
{
	const char *callback = callbacks[_i];
	char why[64];

	join(&second);
	linger_in(callback);
	send_text(&second, "{\"id\":3,\"method\":\"wait\",\"params\":{\"name\":"
			   "\"control-linger\",\"timeout_ms\":20}}\n");
	expect_error(&second, "E_TIMEOUT");
	snprintf(why, sizeof(why), "its %s has not returned", callback);
	ck_assert_msg(strstr(second.line, why), "%s", second.line);
	return_from(callback);
}
END_TEST

START_TEST(change_beside_a_lingering_callback_waits_for_its_turn)
{
	join(&second);
	linger_in("prepare");
	send_apply(&second, FIX,
		   "{\"id\":3,\"method\":\"apply\",\"params\":"
		   "{\"turn_ms\":60000}}\n");
	expect_alive(&second);
	ck_assert_int_eq(control_answer(), 1);
	return_from("prepare");
	expect_result(&second, 3);
	ck_assert_int_eq(control_answer(), 2);
}
END_TEST

START_TEST(change_without_a_turn_is_refused_and_told_who_lingers)
{
	static const char why[] = "prepare of control-linger has not returned";

	join(&second);
	linger_in("prepare");
	send_apply(&second, FIX, "{\"id\":3,\"method\":\"apply\"}\n");
	expect_error(&second, "E_BUSY");
	ck_assert_msg(strstr(second.line, why), "%s", second.line);
	return_from("prepare");
	ck_assert_uint_eq(hotpatch_patch_list(NULL, 0), 1);
	send_apply(&second, FIX, "{\"id\":3,\"method\":\"apply\"}\n");
	expect_result(&second, 3);
}
END_TEST

START_TEST(wait_comes_after_the_change_that_was_asked_for_before)
{
	join(&second);
	linger_in("prepare");
	send_apply(&second, FIX,
		   "{\"id\":3,\"method\":\"apply\",\"params\":"
		   "{\"turn_ms\":60000}}\n"
		   "{\"id\":4,\"method\":\"wait\",\"params\":"
		   "{\"name\":\"control-fix\"}}\n"
		   "{\"id\":5,\"method\":\"wait\",\"params\":"
		   "{\"name\":\"control-fix\",\"timeout_ms\":20}}\n");
	expect_error(&second, "E_TIMEOUT");
	return_from("prepare");
	expect_result(&second, 3);
	ck_assert_ptr_nonnull(
		strstr(expect_result(&second, 4), "\"state\":\"active\""));
}
END_TEST

START_TEST(client_that_hangs_up_while_its_callback_lingers_harms_nobody)
{
	join(&second);
	linger_in("prepare");
	close(first.fd);
	expect_alive(&second);
	sem_post(&leave);
	send_text(&second, "{\"id\":3,\"method\":\"revert\",\"params\":"
			   "{\"name\":\"control-linger\",\"turn_ms\":60000}}\n"
			   "{\"id\":4,\"method\":\"wait\",\"params\":"
			   "{\"name\":\"control-linger\","
			   "\"goal\":\"unmapped\"}}\n");
	expect_result(&second, 3);
	expect_result(&second, 4);
	ck_assert_int_eq(control_answer(), 1);
}
END_TEST

START_TEST(change_of_a_client_that_went_away_is_not_made)
{
	size_t before;

	linger_in("prepare");
	before = count_descriptors("/");
	join(&second);
	send_apply(&second, FIX,
		   "{\"id\":3,\"method\":\"apply\",\"params\":"
		   "{\"turn_ms\":60000}}\n");
	expect_alive(&second);
	ck_assert_uint_eq(count_descriptors("/"), before + 1);
	close(second.fd);
	/* The second answer comes from a round that began after the end. */
	expect_alive(&first);
	expect_alive(&first);
	ck_assert_uint_eq(count_descriptors("/"), before);
	return_from("prepare");
	ck_assert_int_eq(control_answer(), 3);
	ck_assert_uint_eq(hotpatch_patch_list(NULL, 0), 1);
}
END_TEST

START_TEST(sixty_fifth_change_that_waits_is_refused)
{
	static struct client others[4];
	static const char request[] =
		"{\"id\":3,\"method\":\"revert\",\"params\":"
		"{\"name\":\"nobody\",\"turn_ms\":60000}}\n";
	int i;

	linger_in("prepare");
	for (i = 0; i < 4; i++)
		join(&others[i]);
	join(&second);
	for (i = 0; i < 63; i++)
		send_text(&others[i / 16], request);
	for (i = 0; i < 4; i++)
		expect_alive(&others[i]);
	send_text(&second, request);
	expect_error(&second, "E_QUEUE");
	return_from("prepare");
	for (i = 0; i < 63; i++)
		expect_error(&others[i / 16], "E_NO_PATCH");
	send_text(&second, request);
	expect_error(&second, "E_NO_PATCH");
}
END_TEST

START_TEST(clients_that_apply_at_once_are_served_in_turn)
{
	static const char request[] =
		"{\"id\":3,\"method\":\"apply\",\"params\":"
		"{\"turn_ms\":60000}}\n";
	int i;

	join(&first);
	join(&second);
	for (i = 0; i < 20; i++) {
		send_apply(&first, FIX, request);
		send_apply(&second, LINGER, request);
		expect_result(&first, 3);
		expect_result(&second, 3);
		ck_assert_int_gt(control_answer(), 1);
		send_text(&first,
			  "{\"id\":4,\"method\":\"revert\",\"params\":"
			  "{\"all\":true,\"turn_ms\":60000}}\n"
			  "{\"id\":5,\"method\":\"wait\",\"params\":{\"name\":"
			  "\"control-fix\",\"goal\":\"unmapped\"}}\n");
		expect_result(&first, 4);
		expect_result(&first, 5);
		send_text(&first,
			  "{\"id\":6,\"method\":\"wait\",\"params\":{\"name\":"
			  "\"control-linger\",\"goal\":\"unmapped\"}}\n");
		expect_result(&first, 6);
		ck_assert_int_eq(control_answer(), 1);
	}
}
END_TEST

/* If it waited for the callback, it would wait for ever. */
START_TEST(stopping_does_not_wait_for_a_lingering_callback)
{
	struct hotpatch_patch *patch;

	linger_in("prepare");
	hotpatch_control_stop(control);
	control = NULL;
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_ptr_null(receive(&first));
	ck_assert_int_eq(hotpatch_patch_find("control-linger", &patch),
			 HOTPATCH_OK);
	sem_post(&leave);
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, NULL),
			 HOTPATCH_OK);
	ck_assert_int_eq(control_answer(), 3);
	ck_assert_int_eq(hotpatch_patch_revert(patch, NULL, NULL), HOTPATCH_OK);
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1,
					     NULL),
			 HOTPATCH_OK);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(stopping_drops_what_waits_behind_a_lingering_callback)
{
	struct hotpatch_patch *patch;

	join(&second);
	linger_in("prepare");
	send_apply(&second, FIX,
		   "{\"id\":3,\"method\":\"apply\",\"params\":"
		   "{\"turn_ms\":60000}}\n");
	expect_alive(&second);
	hotpatch_control_stop(control);
	control = NULL;
	ck_assert_int_eq(hotpatch_patch_find("control-linger", &patch),
			 HOTPATCH_OK);
	sem_post(&leave);
	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, NULL),
			 HOTPATCH_OK);
	ck_assert_int_eq(control_answer(), 3);
	hotpatch_patch_close(patch);
}
END_TEST

/* What a child finds out that is forked while a change runs and one waits. */
static int judge_child(size_t descriptors)
{
	if (count_descriptors("") >= descriptors)
		return 1;
	hotpatch_control_stop(control);
	if (control_answer() != 1)
		return 2;
	return access(path, F_OK) ? 3 : 0;
}

START_TEST(child_forked_while_a_callback_lingers_has_nothing_of_it)
{
	int status;
	pid_t child;

	join(&second);
	linger_in("prepare");
	send_apply(&second, FIX,
		   "{\"id\":3,\"method\":\"apply\",\"params\":"
		   "{\"turn_ms\":60000}}\n");
	expect_alive(&second);
	child = fork();
	if (!child)
		_exit(judge_child(count_descriptors("") + 5));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	return_from("prepare");
	expect_result(&second, 3);
}
END_TEST

START_TEST(child_that_comes_back_from_a_callback_ends)
{
	int status;

	forking = true;
	linger_in("prepare");
	ck_assert_int_gt(forked, 0);
	ck_assert_int_eq(waitpid(forked, &status, 0), forked);
	ck_assert_int_eq(status, 0);
	return_from("prepare");
}
END_TEST

START_TEST(callbacks_of_a_threadless_server_run_in_the_hosts_loop)
{
	struct hotpatch_control_options options = make_options();

	hotpatch_control_stop(control);
	options.threadless = 1;
	ck_assert_int_eq(hotpatch_control_start(&options, &control, NULL),
			 HOTPATCH_OK);
	sem_post(&leave);
	lingering = "commit";
	first.fd = try_connect();
	hotpatch_control_dispatch(control);
	ck_assert_ptr_nonnull(receive(&first));
	send_apply(&first, LINGER, "{\"id\":1,\"method\":\"apply\"}\n");
	while (hotpatch_control_dispatch(control) >= 0)
		;
	expect_result(&first, 1);
	await_linger();
	ck_assert(pthread_equal(runner, pthread_self()));
	ck_assert_int_eq(control_answer(), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_worker");
	TCase *all = tcase_create("all");
	SRunner *runner_of_all = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, start_lingering_server, stop_server);
	tcase_add_loop_test(all, others_are_answered_while_a_callback_lingers,
			    0, 4);
	tcase_add_loop_test(
		all, wait_beside_a_lingering_callback_ends_at_its_timeout, 0,
		4);
	tcase_add_test(all,
		       change_beside_a_lingering_callback_waits_for_its_turn);
	tcase_add_test(all,
		       change_without_a_turn_is_refused_and_told_who_lingers);
	tcase_add_test(all,
		       wait_comes_after_the_change_that_was_asked_for_before);
	tcase_add_test(
		all,
		client_that_hangs_up_while_its_callback_lingers_harms_nobody);
	tcase_add_test(all, change_of_a_client_that_went_away_is_not_made);
	tcase_add_test(all, sixty_fifth_change_that_waits_is_refused);
	tcase_add_test(all, clients_that_apply_at_once_are_served_in_turn);
	tcase_add_test(all, stopping_does_not_wait_for_a_lingering_callback);
	tcase_add_test(all,
		       stopping_drops_what_waits_behind_a_lingering_callback);
	tcase_add_test(all,
		       child_forked_while_a_callback_lingers_has_nothing_of_it);
	tcase_add_test(all, child_that_comes_back_from_a_callback_ends);
	tcase_add_test(all,
		       callbacks_of_a_threadless_server_run_in_the_hosts_loop);
	suite_add_tcase(suite, all);
	srunner_run_all(runner_of_all, CK_NORMAL);
	failed = srunner_ntests_failed(runner_of_all);
	srunner_free(runner_of_all);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
