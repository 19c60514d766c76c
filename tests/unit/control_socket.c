/* SPDX-License-Identifier: MIT */
/*
 * Where control sockets lie, and how their files are made, replaced and
 * removed.
 */
#include "../../lib/control/socket.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/hotpatch-socket-XXXXXX";
static char path[HP_SOCKET_PATH_SIZE];
static struct hp_listener listener;
static struct hotpatch_error err;

static void make_directory(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sub/a.sock", directory);
}

static void remove_directory(void)
{
	char below[HP_SOCKET_PATH_SIZE];

	unlink(path);
	snprintf(below, sizeof(below), "%s/sub", directory);
	rmdir(below);
	rmdir(directory);
}

static enum hotpatch_status listen_there(void)
{
	return hp_socket_listen(path, (gid_t)-1, false, &listener, &err);
}

static void set_environment(const char *given, const char *runtime)
{
	unsetenv("HOTPATCH_RUNTIME_DIR");
	unsetenv("XDG_RUNTIME_DIR");
	if (given)
		setenv("HOTPATCH_RUNTIME_DIR", given, 1);
	if (runtime)
		setenv("XDG_RUNTIME_DIR", runtime, 1);
}

START_TEST(directory_that_is_given_wins)
{
	set_environment("/given", "/runtime");
	ck_assert_int_eq(hp_socket_directory(path, &err), HOTPATCH_OK);
	ck_assert_str_eq(path, "/given");
}
END_TEST

START_TEST(root_uses_run)
{
	if (geteuid() != 0)
		return;
	set_environment(NULL, "/runtime");
	ck_assert_int_eq(hp_socket_directory(path, &err), HOTPATCH_OK);
	ck_assert_str_eq(path, "/run/hotpatch");
}
END_TEST

START_TEST(user_uses_the_runtime_directory_else_tmp)
{
	uid_t user = geteuid();

	if (user == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	set_environment(NULL, "/runtime");
	ck_assert_int_eq(hp_socket_directory(path, &err), HOTPATCH_OK);
	ck_assert_str_eq(path, "/runtime/hotpatch");
	set_environment(NULL, NULL);
	ck_assert_int_eq(hp_socket_directory(path, &err), HOTPATCH_OK);
	ck_assert_ptr_nonnull(strstr(path, "/tmp/hotpatch-"));
	/* Sanitizers look at the process when it ends, which a change of the
	 * user forbids. */
	ck_assert_int_eq(seteuid(user), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

START_TEST(default_name_tells_program_and_process)
{
	char ending[64];

	set_environment("/given", NULL);
	snprintf(ending, sizeof(ending), ".%d.sock", (int)getpid());
	ck_assert_int_eq(hp_socket_default_path(path, &err), HOTPATCH_OK);
	ck_assert_ptr_nonnull(strstr(path, ending));
	ck_assert_int_eq(strncmp(path, "/given/", 7), 0);
}
END_TEST

START_TEST(path_of_107_bytes_fits_and_of_108_does_not)
{
	char longer[HP_SOCKET_PATH_SIZE + 1];
	size_t length =
		(size_t)snprintf(longer, sizeof(longer), "%s/", directory);

	memset(longer + length, 'a', sizeof(longer) - length);
	longer[HP_SOCKET_PATH_SIZE] = '\0';
	ck_assert_int_eq(hp_socket_listen(longer, (gid_t)-1, false, &listener,
					  &err),
			 HOTPATCH_E_ARGUMENT);
	longer[HP_SOCKET_PATH_SIZE - 1] = '\0';
	ck_assert_int_eq(hp_socket_listen(longer, (gid_t)-1, false, &listener,
					  &err),
			 HOTPATCH_OK);
	hp_socket_remove(&listener);
	ck_assert_int_eq(access(longer, F_OK), -1);
}
END_TEST

START_TEST(modes_do_not_depend_on_the_umask)
{
	static const mode_t masks[] = {0, 0777};
	struct stat facts;
	char below[HP_SOCKET_PATH_SIZE];

	umask(masks[_i]);
	ck_assert_int_eq(listen_there(), HOTPATCH_OK);
	umask(022);
	ck_assert_int_eq(lstat(path, &facts), 0);
	ck_assert_uint_eq(facts.st_mode & 07777, 0660);
	snprintf(below, sizeof(below), "%s/sub", directory);
	ck_assert_int_eq(lstat(below, &facts), 0);
	ck_assert_uint_eq(facts.st_mode & 07777, 0750);
}
END_TEST

START_TEST(live_socket_is_left_alone)
{
	struct hp_listener second;
	int fd;

	ck_assert_int_eq(listen_there(), HOTPATCH_OK);
	ck_assert_int_eq(hp_socket_listen(path, (gid_t)-1, false, &second,
					  &err),
			 HOTPATCH_E_ALREADY);
	ck_assert_int_eq(hp_socket_connect(path, &fd, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
	int fd;

	ck_assert_int_eq(listen_there(), HOTPATCH_OK);
	close(listener.fd);
	ck_assert_int_eq(hp_socket_connect(path, &fd, &err),
			 HOTPATCH_E_UNREACHABLE);
	ck_assert_int_eq(listen_there(), HOTPATCH_OK);
	ck_assert_int_eq(hp_socket_connect(path, &fd, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(file_that_is_no_socket_is_left_alone)
{
	int fd;

	ck_assert_int_eq(listen_there(), HOTPATCH_OK);
	close(listener.fd);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen_there(), HOTPATCH_E_ALREADY);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(socket_of_another_is_not_removed)
{
	struct hp_listener first;

	ck_assert_int_eq(listen_there(), HOTPATCH_OK);
	first = listener;
	/* As if another had been made there since. */
	first.inode++;
	hp_socket_remove(&first);
	ck_assert_int_eq(access(path, F_OK), 0);
	hp_socket_remove(&listener);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(directory_that_others_may_write_is_refused)
{
	char below[HP_SOCKET_PATH_SIZE];

	snprintf(below, sizeof(below), "%s/sub", directory);
	ck_assert_int_eq(mkdir(below, 0700), 0);
	ck_assert_int_eq(chmod(below, 0777), 0);
	ck_assert_int_eq(hp_socket_listen(path, (gid_t)-1, true, &listener,
					  &err),
			 HOTPATCH_E_PERMISSION);
	ck_assert_str_eq(err.object, below);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_socket");
	TCase *names = tcase_create("names");
	TCase *files = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(names, directory_that_is_given_wins);
	tcase_add_test(names, root_uses_run);
	tcase_add_test(names, user_uses_the_runtime_directory_else_tmp);
	tcase_add_test(names, default_name_tells_program_and_process);
	tcase_add_checked_fixture(files, make_directory, remove_directory);
	tcase_add_test(files, path_of_107_bytes_fits_and_of_108_does_not);
	tcase_add_loop_test(files, modes_do_not_depend_on_the_umask, 0, 2);
	tcase_add_test(files, live_socket_is_left_alone);
	tcase_add_test(files, stale_socket_is_replaced);
	tcase_add_test(files, file_that_is_no_socket_is_left_alone);
	tcase_add_test(files, socket_of_another_is_not_removed);
	tcase_add_test(files, directory_that_others_may_write_is_refused);
	suite_add_tcase(suite, names);
	suite_add_tcase(suite, files);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
