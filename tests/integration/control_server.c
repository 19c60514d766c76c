/* SPDX-License-Identifier: MIT */
/*
 * The control server as its host sees it: the socket's file, the thread, a
 * fork, the number of clients, and who may connect.
 */
#include "control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A group that the tests' user is not in. */
#define GROUP 54321
#define STRANGER 54322

START_TEST(thirty_third_client_is_turned_away)
{
	static struct client clients[32];
	int i;

	for (i = 0; i < 32; i++)
		join(&clients[i]);
	first.fd = try_connect();
	expect_error(&first, "E_LIMIT");
	ck_assert_ptr_null(receive(&first));
	expect_alive(&clients[31]);
	close(clients[0].fd);
	expect_alive(&clients[31]);
	join(&second);
}
END_TEST

START_TEST(socket_and_directory_have_their_modes)
{
	char run[128];
	struct stat facts;

	snprintf(run, sizeof(run), "%s/run", directory);
	ck_assert_int_eq(stat(path, &facts), 0);
	ck_assert_uint_eq(facts.st_mode & 07777, 0660);
	ck_assert_int_eq(stat(run, &facts), 0);
	ck_assert_uint_eq(facts.st_mode & 07777, 0750);
}
END_TEST

START_TEST(second_server_at_the_same_path_is_refused)
{
	struct hotpatch_control_options options = make_options();
	struct hotpatch_control *other;

	ck_assert_int_eq(hotpatch_control_start(&options, &other, NULL),
			 HOTPATCH_E_ALREADY);
	ck_assert_ptr_null(other);
	join(&first);
}
END_TEST

START_TEST(stopping_removes_the_socket_and_hangs_up)
{
	join(&first);
	hotpatch_control_stop(control);
	control = NULL;
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_ptr_null(receive(&first));
}
END_TEST

START_TEST(server_can_be_started_again)
{
	struct hotpatch_control_options options = make_options();
	size_t before;
	int i;

	before = count_descriptors("");
	for (i = 0; i < 20; i++) {
		hotpatch_control_stop(control);
		ck_assert_int_eq(hotpatch_control_start(&options, &control,
							NULL),
				 HOTPATCH_OK);
	}
	ck_assert_uint_eq(count_descriptors(""), before);
	join(&first);
}
END_TEST

/* What the child of a fork finds out, as its exit code. */
static int judge_child(size_t descriptors)
{
	if (count_descriptors("") >= descriptors)
		return 1;
	if (hotpatch_control_dispatch(control) != -1)
		return 2;
	hotpatch_control_stop(control);
	if (access(path, F_OK))
		return 3;
	return 0;
}

START_TEST(forked_child_neither_serves_nor_unlinks)
{
	size_t descriptors;
	int status;
	pid_t child;

	join(&first);
	descriptors = count_descriptors("");
	child = fork();
	if (!child)
		_exit(judge_child(descriptors));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	expect_alive(&first);
	join(&second);
}
END_TEST

/* Without a thread, because the thread sanitizer bears none in the child of a
 * process that has several. */
static int serve_in_child(void)
{
	struct hotpatch_control_options options = make_options();

	snprintf(path, sizeof(path), "%s/run/child", directory);
	options.threadless = 1;
	if (hotpatch_control_start(&options, &control, NULL))
		return 1;
	first.fd = try_connect();
	hotpatch_control_dispatch(control);
	if (!receive(&first))
		return 2;
	hotpatch_control_stop(control);
	return 0;
}

START_TEST(forked_child_can_serve_for_itself)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(serve_in_child());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* A process that serves, and its child, which does nothing until @quit is
 * closed; the child's number goes to @born. */
static void serve_and_fork(const int *born, const int *quit)
{
	struct hotpatch_control_options options = make_options();
	pid_t child;
	char byte;

	options.threadless = 1;
	if (hotpatch_control_start(&options, &control, NULL))
		_exit(1);
	child = fork();
	if (!child) {
		close(quit[1]);
		_exit(read(quit[0], &byte, 1) != 0);
	}
	if (write(born[1], &child, sizeof(child)) != sizeof(child))
		_exit(2);
	for (;;)
		pause();
}

START_TEST(child_does_not_keep_a_dead_parents_socket_alive)
{
	struct hotpatch_control_options options = make_options();
	int born[2];
	int quit[2];
	pid_t parent;
	pid_t child;

	hotpatch_control_stop(control);
	ck_assert_int_eq(pipe2(born, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(quit, O_CLOEXEC), 0);
	parent = fork();
	if (!parent)
		serve_and_fork(born, quit);
	ck_assert_int_eq(read(born[0], &child, sizeof(child)), sizeof(child));
	first.fd = try_connect();
	ck_assert_int_ge(first.fd, 0);
	ck_assert_int_eq(kill(parent, SIGKILL), 0);
	ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
	ck_assert_int_eq(kill(child, 0), 0);
	ck_assert_ptr_null(receive(&first));
	ck_assert_int_lt(try_connect(), 0);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert_int_eq(hotpatch_control_start(&options, &control, NULL),
			 HOTPATCH_OK);
	join(&second);
	close(quit[1]);
}
END_TEST

/* True if the thread's file has a line that begins with @key and ends with
 * @value. */
static bool has_line(const char *thread, const char *file, const char *key,
		     const char *value)
{
	char name[320];
	char line[256];
	bool found = false;
	FILE *lines;

	snprintf(name, sizeof(name), "/proc/self/task/%s/%s", thread, file);
	lines = fopen(name, "r");
	if (!lines)
		return false;
	while (fgets(line, sizeof(line), lines)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, key, strlen(key)) &&
		    strlen(line) >= strlen(value) &&
		    !strcmp(line + strlen(line) - strlen(value), value))
			found = true;
	}
	fclose(lines);
	return found;
}

/* False if there is no such thread; one names itself after it has begun. */
static bool takes_no_signal(const char *name)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *thread;
	bool found = false;

	ck_assert_ptr_nonnull(threads);
	while ((thread = readdir(threads))) {
		if (!has_line(thread->d_name, "comm", name, ""))
			continue;
		found = true;
		/* All but KILL, STOP and the C library's own two. */
		ck_assert(has_line(thread->d_name, "status",
				   "SigBlk:", "fffffffe7ffbfeff") ||
			  has_line(thread->d_name, "status",
				   "SigBlk:", "fffffffc7ffbfeff"));
	}
	closedir(threads);
	return found;
}

START_TEST(threads_of_the_server_take_no_signal)
{
	static const char *const names[] = {"hotpatch-ctl", "hotpatch-work"};
	int looks;

	join(&first);
	for (looks = 0; looks < ANSWER_MS / 5; looks++) {
		if (takes_no_signal(names[_i]))
			return;
		poll(NULL, 0, 5);
	}
	ck_abort_msg("there is no thread %s", names[_i]);
}
END_TEST

START_TEST(host_can_drive_the_server_from_its_own_loop)
{
	struct hotpatch_control_options options = make_options();
	struct pollfd ready;

	hotpatch_control_stop(control);
	options.threadless = 1;
	ck_assert_int_eq(hotpatch_control_start(&options, &control, NULL),
			 HOTPATCH_OK);
	ck_assert_int_eq(hotpatch_control_dispatch(control), -1);
	first.fd = try_connect();
	ready = (struct pollfd){hotpatch_control_fd(control), POLLIN, 0};
	ck_assert_int_eq(poll(&ready, 1, ANSWER_MS), 1);
	hotpatch_control_dispatch(control);
	ck_assert_ptr_nonnull(receive(&first));
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
}
END_TEST

/* Becomes another user, in @group besides its own, and looks what it may do;
 * gives back an exit code. */
static int judge_access(gid_t group, const char *code)
{
	if (setgroups(1, &group) || setresgid(STRANGER, STRANGER, STRANGER) ||
	    setresuid(STRANGER, STRANGER, STRANGER))
		return 1;
	first.fd = try_connect();
	if (!code)
		return first.fd < 0 && errno == EACCES ? 0 : 2;
	if (first.fd < 0)
		return 3;
	receive(&first);
	expect_alive(&first);
	send_text(&first, "{\"id\":1,\"method\":\"revert\",\"params\":"
			  "{\"name\":\"any\"}}\n");
	expect_error(&first, code);
	return 0;
}

START_TEST(group_may_look_but_not_change_and_others_may_not_connect)
{
	static const struct {
		gid_t group;
		const char *code;
	} cases[] = {{GROUP, "E_PERMISSION"}, {STRANGER, NULL}};
	struct hotpatch_control_options options = make_options();
	int status;
	pid_t child;

	if (geteuid() != 0)
		return;
	hotpatch_control_stop(control);
	ck_assert_int_eq(chmod(directory, 0755), 0);
	rmdir(dirname(path));
	snprintf(path, sizeof(path), "%s/group/socket", directory);
	options.group = GROUP;
	ck_assert_int_eq(hotpatch_control_start(&options, &control, NULL),
			 HOTPATCH_OK);
	child = fork();
	if (!child)
		_exit(judge_access(cases[_i].group, cases[_i].code));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_server");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, start_server, stop_server);
	tcase_add_test(all, thirty_third_client_is_turned_away);
	tcase_add_test(all, socket_and_directory_have_their_modes);
	tcase_add_test(all, second_server_at_the_same_path_is_refused);
	tcase_add_test(all, stopping_removes_the_socket_and_hangs_up);
	tcase_add_test(all, server_can_be_started_again);
	tcase_add_test(all, forked_child_neither_serves_nor_unlinks);
	tcase_add_test(all, forked_child_can_serve_for_itself);
	tcase_add_test(all, child_does_not_keep_a_dead_parents_socket_alive);
	tcase_add_loop_test(all, threads_of_the_server_take_no_signal, 0, 2);
	tcase_add_test(all, host_can_drive_the_server_from_its_own_loop);
	tcase_add_loop_test(
		all, group_may_look_but_not_change_and_others_may_not_connect,
		0, 2);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
