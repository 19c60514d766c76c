/* SPDX-License-Identifier: MIT */
/*
 * Reading files whole, and what is refused instead.
 */
#include "../../lib/file.h"

#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char where[96];
static struct hotpatch_error err;
static struct hp_file file;

static void set_up(void)
{
	make_root();
	snprintf(where, sizeof(where), "%s/file", root);
}

static void tear_down(void)
{
	hp_file_release(&file);
	remove_root();
}

static void put(const char *text)
{
	FILE *stream = fopen(where, "w");

	ck_assert_ptr_nonnull(stream);
	fputs(text, stream);
	fclose(stream);
}

static void read_refused(enum hotpatch_status expected)
{
	ck_assert_int_eq(hp_file_read(where, &file, &err), expected);
	ck_assert_int_eq(err.status, expected);
	ck_assert_str_eq(err.object, where);
	ck_assert_ptr_nonnull(strstr(err.sentence, where));
	ck_assert_ptr_null(file.bytes);
}

START_TEST(file_is_read_whole)
{
	put("some bytes");
	ck_assert_int_eq(hp_file_read(where, &file, &err), HOTPATCH_OK);
	ck_assert_uint_eq(file.size, 10);
	ck_assert_mem_eq(file.bytes, "some bytes", 10);
}
END_TEST

START_TEST(digest_is_the_known_one)
{
	put("foobar");
	ck_assert_int_eq(hp_file_read(where, &file, &err), HOTPATCH_OK);
	ck_assert_uint_eq(file.digest, 0x85944171f73967e8);
}
END_TEST

START_TEST(empty_file_is_a_file)
{
	put("");
	ck_assert_int_eq(hp_file_read(where, &file, &err), HOTPATCH_OK);
	ck_assert_uint_eq(file.size, 0);
	ck_assert_ptr_nonnull(file.bytes);
}
END_TEST

START_TEST(missing_file_is_not_found)
{
	read_refused(HOTPATCH_E_NOT_FOUND);
	ck_assert_int_eq(err.os_error, ENOENT);
}
END_TEST

START_TEST(unreadable_file_is_permission)
{
	put("secret");
	chmod(where, 0);
	if (!geteuid())
		ck_assert_int_eq(seteuid(65534), 0);
	chmod(root, 0755);
	/* Without rights on the directory the cause is the same. */
	read_refused(HOTPATCH_E_PERMISSION);
	if (!getuid())
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(link_is_not_followed)
{
	char target[160];

	put("bytes");
	snprintf(target, sizeof(target), "%s/target", root);
	ck_assert_int_eq(rename(where, target), 0);
	ck_assert_int_eq(symlink(target, where), 0);
	read_refused(HOTPATCH_E_NOT_REGULAR);
}
END_TEST

START_TEST(directory_is_not_regular)
{
	ck_assert_int_eq(mkdir(where, 0700), 0);
	read_refused(HOTPATCH_E_NOT_REGULAR);
}
END_TEST

START_TEST(pipe_is_refused_without_waiting)
{
	ck_assert_int_eq(mkfifo(where, 0600), 0);
	read_refused(HOTPATCH_E_NOT_REGULAR);
}
END_TEST

START_TEST(socket_is_not_regular)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	read_refused(HOTPATCH_E_NOT_REGULAR);
	close(fd);
}
END_TEST

START_TEST(file_over_the_limit_is_too_large)
{
	put("");
	ck_assert_int_eq(truncate(where, (off_t)HP_BUNDLE_LIMIT + 1), 0);
	read_refused(HOTPATCH_E_TOO_LARGE);
}
END_TEST

START_TEST(open_file_is_read_from_its_start_and_stays_where_it_was)
{
	char rest[16];
	int fd;

	put("some bytes");
	fd = open(where, O_RDONLY);
	ck_assert_int_eq(lseek(fd, 5, SEEK_SET), 5);
	ck_assert_int_eq(hp_file_read_fd(fd, "it", &file, &err), HOTPATCH_OK);
	ck_assert_mem_eq(file.bytes, "some bytes", 10);
	ck_assert_int_eq(read(fd, rest, sizeof(rest)), 5);
	close(fd);
}
END_TEST

START_TEST(bad_descriptor_is_an_error_of_reading)
{
	ck_assert_int_eq(hp_file_read_fd(-1, "it", &file, &err), HOTPATCH_E_IO);
	ck_assert_int_eq(err.os_error, EBADF);
}
END_TEST

START_TEST(descriptor_that_cannot_be_read_is_an_error_of_reading)
{
	int fd = open(where, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(hp_file_read_fd(fd, "it", &file, &err), HOTPATCH_E_IO);
	close(fd);
}
END_TEST

/* Files of /proc have contents, but say that their size is 0. */
START_TEST(file_that_is_longer_than_it_says_is_refused)
{
	ck_assert_int_eq(hp_file_read("/proc/self/status", &file, &err),
			 HOTPATCH_E_IO);
}
END_TEST

/* And those of /sys have a page, and are mostly shorter. */
START_TEST(file_that_is_shorter_than_it_says_is_truncated)
{
	const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
	enum hotpatch_status status = hp_file_read(path, &file, &err);

	if (status != HOTPATCH_E_NOT_FOUND)
		ck_assert_int_eq(status, HOTPATCH_E_TRUNCATED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		file_is_read_whole,
		digest_is_the_known_one,
		empty_file_is_a_file,
		missing_file_is_not_found,
		unreadable_file_is_permission,
		link_is_not_followed,
		directory_is_not_regular,
		pipe_is_refused_without_waiting,
		socket_is_not_regular,
		file_over_the_limit_is_too_large,
		open_file_is_read_from_its_start_and_stays_where_it_was,
		bad_descriptor_is_an_error_of_reading,
		descriptor_that_cannot_be_read_is_an_error_of_reading,
		file_that_is_longer_than_it_says_is_refused,
		file_that_is_shorter_than_it_says_is_truncated,
	};

	return run_in_root("file", set_up, tear_down, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
