/* SPDX-License-Identifier: MIT */
/*
 * The walk along a path: who may have changed what lies there.
 */
#include "../../lib/path.h"

#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY 65534

static char middle[96];
static char last[128];
static struct hotpatch_error err;

/* root/middle/last, all of which are ours alone. */
static void set_up(void)
{
	umask(077);
	make_root();
	snprintf(middle, sizeof(middle), "%s/middle", root);
	snprintf(last, sizeof(last), "%s/last", middle);
	ck_assert_int_eq(mkdir(middle, 0700), 0);
	ck_assert_int_eq(mkdir(last, 0700), 0);
}

static void expect_open(const char *path)
{
	struct stat found;
	struct stat wanted;
	int fd;

	ck_assert_msg(hp_path_open_directory(path, &fd, &err) == HOTPATCH_OK,
		      "%s", err.sentence);
	ck_assert_int_eq(fstat(fd, &found), 0);
	ck_assert_int_eq(stat(path, &wanted), 0);
	ck_assert_uint_eq(found.st_ino, wanted.st_ino);
	close(fd);
}

/* @object is the part of the path that is at fault. */
static void expect_refused(const char *path, enum hotpatch_status status,
			   const char *object)
{
	int next = open("/dev/null", O_RDONLY);
	int fd;

	close(next);
	ck_assert_int_eq(hp_path_open_directory(path, &fd, &err), status);
	ck_assert_int_eq(err.status, status);
	ck_assert_str_eq(err.object, object);
	ck_assert_int_eq(fd, -1);
	/* No descriptor was left open. */
	ck_assert_int_eq(open("/dev/null", O_RDONLY), next);
}

START_TEST(directories_of_our_own_will_do)
{
	expect_open(last);
}
END_TEST

START_TEST(other_spellings_of_a_path_will_do)
{
	char path[256];

	snprintf(path, sizeof(path), "%s//./last/", middle);
	expect_open(path);
	snprintf(path, sizeof(path), "%s/../middle/last", middle);
	expect_open(path);
	expect_open("/");
}
END_TEST

START_TEST(directory_that_others_may_read_will_do)
{
	ck_assert_int_eq(chmod(last, 0755), 0);
	expect_open(last);
}
END_TEST

START_TEST(directory_that_the_group_may_write_is_refused)
{
	ck_assert_int_eq(chmod(middle, 0770), 0);
	expect_refused(last, HOTPATCH_E_UNSAFE_PATH, middle);
	expect_refused(middle, HOTPATCH_E_UNSAFE_PATH, middle);
}
END_TEST

START_TEST(directory_that_everybody_may_write_is_refused)
{
	ck_assert_int_eq(chmod(middle, 0702), 0);
	expect_refused(last, HOTPATCH_E_UNSAFE_PATH, middle);
}
END_TEST

START_TEST(sticky_directory_will_do_on_the_way_but_not_at_the_end)
{
	ck_assert_int_eq(chmod(middle, 01777), 0);
	expect_open(last);
	expect_refused(middle, HOTPATCH_E_UNSAFE_PATH, middle);
}
END_TEST

START_TEST(directory_of_somebody_else_is_refused)
{
	/* Only root can give one away. */
	if (chown(middle, SOMEBODY, SOMEBODY) < 0)
		return;
	expect_refused(last, HOTPATCH_E_UNSAFE_PATH, middle);
	expect_refused(middle, HOTPATCH_E_UNSAFE_PATH, middle);
}
END_TEST

START_TEST(roots_directory_will_do_for_others)
{
	if (geteuid() || chmod(root, 0755) || chmod(middle, 0755) ||
	    chmod(last, 0755) || seteuid(SOMEBODY))
		return;
	expect_open(last);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(link_is_not_followed_anywhere)
{
	char link[128];
	char through[160];

	snprintf(link, sizeof(link), "%s/link", root);
	snprintf(through, sizeof(through), "%s/last", link);
	ck_assert_int_eq(symlink(middle, link), 0);
	expect_refused(link, HOTPATCH_E_UNSAFE_PATH, link);
	expect_refused(through, HOTPATCH_E_UNSAFE_PATH, link);
}
END_TEST

START_TEST(file_is_no_directory)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/file", last);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	expect_refused(path, HOTPATCH_E_UNSAFE_PATH, path);
}
END_TEST

START_TEST(missing_directory_is_not_found)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/none", last);
	expect_refused(path, HOTPATCH_E_NOT_FOUND, path);
}
END_TEST

START_TEST(relative_path_is_refused)
{
	expect_refused("tmp", HOTPATCH_E_ARGUMENT, "tmp");
}
END_TEST

START_TEST(name_that_is_too_long_is_refused)
{
	char path[512];

	memset(path, 'n', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(hp_path_open_directory(path, &(int){0}, &err),
			 HOTPATCH_E_IO);
}
END_TEST

static enum hotpatch_status judge_file(mode_t mode)
{
	char path[160];
	enum hotpatch_status status;
	int fd;

	snprintf(path, sizeof(path), "%s/file", last);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	status = hp_path_check_file(fd, path, &err);
	close(fd);
	return status;
}

START_TEST(file_that_others_may_write_is_refused)
{
	ck_assert_int_eq(judge_file(0644), HOTPATCH_OK);
	ck_assert_int_eq(judge_file(0664), HOTPATCH_E_UNSAFE_PATH);
	ck_assert_int_eq(judge_file(0602), HOTPATCH_E_UNSAFE_PATH);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		directories_of_our_own_will_do,
		other_spellings_of_a_path_will_do,
		directory_that_others_may_read_will_do,
		directory_that_the_group_may_write_is_refused,
		directory_that_everybody_may_write_is_refused,
		sticky_directory_will_do_on_the_way_but_not_at_the_end,
		directory_of_somebody_else_is_refused,
		roots_directory_will_do_for_others,
		link_is_not_followed_anywhere,
		file_is_no_directory,
		missing_directory_is_not_found,
		relative_path_is_refused,
		name_that_is_too_long_is_refused,
		file_that_others_may_write_is_refused,
	};

	return run_in_root("path", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
