/* SPDX-License-Identifier: MIT */
/*
 * The private copies of bundles. Each test has a directory of its own; kernels
 * that lack something are played by a seccomp filter.
 */
#include "../../lib/store.h"

#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char where[96];
static struct hotpatch_error err;
static struct hp_file file;

static void set_up(void)
{
	make_root();
	snprintf(where, sizeof(where), "%s/file", root);
	memset(&err, 0, sizeof(err));
	memset(&file, 0, sizeof(file));
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

static void have_file(const char *text)
{
	put(text);
	ck_assert_int_eq(hp_file_read(where, &file, &err), HOTPATCH_OK);
	ck_assert_int_eq(unlink(where), 0);
}

/* Makes "store" in the test's directory the private one. */
static const char *configure(void)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/store", root);
	ck_assert_int_eq(hp_store_configure(path, &err), HOTPATCH_OK);
	return path;
}

static void write_ok(char path[PATH_MAX])
{
	enum hotpatch_status status = hp_store_write(&file, path, &err);

	ck_assert_msg(status == HOTPATCH_OK, "%s", err.sentence);
}

START_TEST(copy_has_the_bytes_and_only_its_owner_may_run_it)
{
	struct hp_file copy = {0};
	struct stat found;
	char path[PATH_MAX];

	have_file("bundle");
	umask(0777);
	configure();
	write_ok(path);
	ck_assert_int_eq(stat(path, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0500);
	ck_assert_int_eq(hp_file_read(path, &copy, &err), HOTPATCH_OK);
	ck_assert_uint_eq(copy.digest, file.digest);
	hp_file_release(&copy);
}
END_TEST

START_TEST(copy_is_named_by_its_digest)
{
	char expected[PATH_MAX];
	char path[PATH_MAX];

	have_file("foobar");
	snprintf(expected, sizeof(expected), "%s/85944171f73967e8.so",
		 configure());
	write_ok(path);
	ck_assert_str_eq(path, expected);
}
END_TEST

START_TEST(path_is_not_used_again_while_it_exists)
{
	char paths[4][PATH_MAX];
	size_t i, j;

	have_file("bundle");
	configure();
	for (i = 0; i < 4; i++) {
		write_ok(paths[i]);
		for (j = 0; j < i; j++)
			ck_assert_str_ne(paths[i], paths[j]);
	}
}
END_TEST

START_TEST(missing_directory_is_made_private)
{
	const char *path = configure();
	struct stat found;
	char copy[PATH_MAX];

	have_file("bundle");
	umask(0077);
	write_ok(copy);
	ck_assert_int_eq(stat(path, &found), 0);
	ck_assert_uint_eq(found.st_mode & 0777, 0700);
}
END_TEST

START_TEST(nothing_is_left_after_the_last_copy)
{
	char copy[PATH_MAX];

	have_file("bundle");
	configure();
	write_ok(copy);
	hp_store_remove(copy);
	hp_store_finish();
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(directory_with_copies_is_not_removed)
{
	char copy[PATH_MAX];

	have_file("bundle");
	configure();
	write_ok(copy);
	hp_store_finish();
	ck_assert_int_eq(access(copy, F_OK), 0);
}
END_TEST

START_TEST(directory_that_was_there_is_not_removed)
{
	const char *path = configure();
	char copy[PATH_MAX];

	have_file("bundle");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	write_ok(copy);
	hp_store_remove(copy);
	hp_store_finish();
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(only_copies_are_removed)
{
	put("mine");
	hp_store_remove(where);
	ck_assert_int_eq(access(where, F_OK), 0);
}
END_TEST

static void write_refused(enum hotpatch_status expected)
{
	char path[PATH_MAX];

	ck_assert_int_eq(hp_store_write(&file, path, &err), expected);
	ck_assert_int_eq(err.status, expected);
}

START_TEST(directory_open_to_others_is_refused)
{
	have_file("bundle");
	ck_assert_int_eq(mkdir(configure(), 0700), 0);
	ck_assert_int_eq(chmod(configure(), 0750), 0);
	write_refused(HOTPATCH_E_UNSAFE_PATH);
}
END_TEST

START_TEST(directory_of_another_user_is_refused)
{
	have_file("bundle");
	ck_assert_int_eq(mkdir(configure(), 0700), 0);
	/* Only root can give a directory away. */
	if (chown(configure(), 65534, 65534) < 0)
		return;
	write_refused(HOTPATCH_E_UNSAFE_PATH);
}
END_TEST

START_TEST(link_to_a_directory_is_refused)
{
	have_file("bundle");
	ck_assert_int_eq(symlink("/tmp", configure()), 0);
	write_refused(HOTPATCH_E_UNSAFE_PATH);
}
END_TEST

START_TEST(directory_without_parent_is_refused)
{
	have_file("bundle");
	ck_assert_int_eq(hp_store_configure("/nonexistent/store", &err),
			 HOTPATCH_OK);
	write_refused(HOTPATCH_E_STORE);
	ck_assert_int_eq(err.os_error, ENOENT);
}
END_TEST

START_TEST(relative_directory_is_refused)
{
	ck_assert_int_eq(hp_store_configure("store", &err),
			 HOTPATCH_E_ARGUMENT);
}
END_TEST

START_TEST(longest_directory_fits_and_a_longer_one_does_not)
{
	char path[PATH_MAX];

	memset(path, 'd', sizeof(path));
	path[0] = '/';
	path[PATH_MAX - 64] = '\0';
	ck_assert_int_eq(hp_store_configure(path, &err), HOTPATCH_OK);
	path[PATH_MAX - 64] = 'd';
	path[PATH_MAX - 63] = '\0';
	ck_assert_int_eq(hp_store_configure(path, &err), HOTPATCH_E_ARGUMENT);
}
END_TEST

START_TEST(directory_is_fixed_once_it_is_used)
{
	char copy[PATH_MAX];

	have_file("bundle");
	configure();
	write_ok(copy);
	ck_assert_int_eq(hp_store_configure("/tmp/other", &err),
			 HOTPATCH_E_STATE);
}
END_TEST

START_TEST(directory_of_its_own_choice_goes_with_its_last_copy)
{
	char copy[PATH_MAX];

	have_file("bundle");
	setenv("XDG_RUNTIME_DIR", root, 1);
	write_ok(copy);
	ck_assert_int_eq(strncmp(copy, root, strlen(root)), 0);
	ck_assert_uint_eq(count_entries(root), 1);
	hp_store_remove(copy);
	hp_store_finish();
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(unusable_candidate_is_passed_over)
{
	char copy[PATH_MAX];

	have_file("bundle");
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	write_ok(copy);
	ck_assert_int_eq(access(copy, X_OK), 0);
	hp_store_remove(copy);
	hp_store_finish();
	*strrchr(copy, '/') = '\0';
	ck_assert_int_eq(access(copy, F_OK), -1);
}
END_TEST

START_TEST(directory_that_was_taken_away_is_replaced)
{
	char copy[PATH_MAX];

	have_file("bundle");
	setenv("XDG_RUNTIME_DIR", root, 1);
	write_ok(copy);
	tear_down();
	ck_assert_int_eq(mkdir(root, 0700), 0);
	have_file("bundle");
	write_ok(copy);
	ck_assert_int_eq(access(copy, F_OK), 0);
}
END_TEST

START_TEST(noexec_mount_is_told)
{
	const char *path = configure();

	have_file("bundle");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	/* Where mounting is not allowed there is nothing to be seen. */
	if (mount("none", path, "tmpfs", MS_NOEXEC, "mode=0700") < 0)
		return;
	write_refused(HOTPATCH_E_NOEXEC);
	ck_assert_str_eq(err.object, path);
	ck_assert_uint_eq(count_entries(path), 0);
	umount(path);
}
END_TEST

START_TEST(full_file_system_leaves_nothing_behind)
{
	const char *path = configure();

	have_file("bundle");
	hp_file_release(&file);
	file.size = 1 << 20;
	file.bytes = calloc(1, file.size);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	if (mount("none", path, "tmpfs", 0, "mode=0700,size=64k") < 0)
		return;
	write_refused(HOTPATCH_E_STORE);
	ck_assert_int_eq(err.os_error, ENOSPC);
	ck_assert_uint_eq(count_entries(path), 0);
	umount(path);
}
END_TEST

/*
 * From here on the system call @number fails with @cause if its argument
 * @index has all of @bits. False where seccomp is not to be had.
 */
static bool fail_calls(unsigned int number, unsigned int index,
		       unsigned int bits, unsigned int cause)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (unsigned int)offsetof(struct seccomp_data, args) +
				 8 * index),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | cause),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]),
				     filter};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

START_TEST(file_system_without_anonymous_files_will_do)
{
	const char *path = configure();
	char copy[PATH_MAX];

	have_file("bundle");
	if (!fail_calls(SYS_openat, 2, O_TMPFILE, EOPNOTSUPP))
		return;
	write_ok(copy);
	ck_assert_int_eq(access(copy, X_OK), 0);
	ck_assert_uint_eq(count_entries(path), 1);
}
END_TEST

START_TEST(missing_proc_will_do)
{
	const char *path = configure();
	char copy[PATH_MAX];

	have_file("bundle");
	if (!fail_calls(SYS_linkat, 4, AT_SYMLINK_FOLLOW, ENOENT))
		return;
	write_ok(copy);
	ck_assert_uint_eq(count_entries(path), 1);
}
END_TEST

START_TEST(file_system_without_links_leaves_nothing_behind)
{
	configure();
	have_file("bundle");
	if (!fail_calls(SYS_linkat, 4, 0, EPERM))
		return;
	write_refused(HOTPATCH_E_STORE);
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(file_whose_mode_cannot_be_set_leaves_nothing_behind)
{
	configure();
	have_file("bundle");
	if (!fail_calls(SYS_fchmod, 0, 0, EPERM))
		return;
	write_refused(HOTPATCH_E_STORE);
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(failures_keep_no_descriptor)
{
	size_t before = count_entries("/proc/self/fd");

	have_file("bundle");
	configure();
	if (!fail_calls(SYS_linkat, 4, 0, EPERM))
		return;
	write_refused(HOTPATCH_E_STORE);
	hp_file_release(&file);
	ck_assert_int_eq(hp_file_read(where, &file, &err),
			 HOTPATCH_E_NOT_FOUND);
	ck_assert_uint_eq(count_entries("/proc/self/fd"), before);
}
END_TEST

static void wait_for(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(child_does_not_remove_its_parents_copies)
{
	char copy[PATH_MAX];
	pid_t child;

	have_file("bundle");
	configure();
	write_ok(copy);
	child = fork();
	if (!child) {
		hp_store_remove(copy);
		hp_store_finish();
		_exit(0);
	}
	wait_for(child);
	ck_assert_int_eq(access(copy, F_OK), 0);
}
END_TEST

START_TEST(child_makes_a_directory_of_its_own)
{
	char copy[PATH_MAX];
	char other[PATH_MAX];
	pid_t child;

	have_file("bundle");
	setenv("XDG_RUNTIME_DIR", root, 1);
	write_ok(copy);
	child = fork();
	if (!child) {
		bool good = hp_store_write(&file, other, NULL) == HOTPATCH_OK;

		_exit(good && count_entries(root) == 2 ? 0 : 1);
	}
	wait_for(child);
}
END_TEST

#define THREADS 4
#define ROUNDS 1000

static pthread_barrier_t barrier;

static void *write_many(void *argument)
{
	char path[PATH_MAX];
	size_t failures = 0;
	size_t i;

	(void)argument;
	pthread_barrier_wait(&barrier);
	for (i = 0; i < ROUNDS; i++) {
		failures += hp_store_write(&file, path, NULL) != HOTPATCH_OK;
		failures += access(path, X_OK) != 0;
		hp_store_remove(path);
	}
	return (void *)failures;
}

START_TEST(threads_get_paths_of_their_own)
{
	pthread_t threads[THREADS];
	void *failures;
	size_t i;

	have_file("bundle");
	configure();
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, write_many, NULL);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failures);
		ck_assert_ptr_null(failures);
	}
	hp_store_finish();
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

static void add_writing(TCase *tcase)
{
	tcase_add_test(tcase, copy_has_the_bytes_and_only_its_owner_may_run_it);
	tcase_add_test(tcase, copy_is_named_by_its_digest);
	tcase_add_test(tcase, path_is_not_used_again_while_it_exists);
	tcase_add_test(tcase, missing_directory_is_made_private);
	tcase_add_test(tcase, nothing_is_left_after_the_last_copy);
	tcase_add_test(tcase, directory_with_copies_is_not_removed);
	tcase_add_test(tcase, directory_that_was_there_is_not_removed);
	tcase_add_test(tcase, only_copies_are_removed);
	tcase_add_test(tcase, directory_is_fixed_once_it_is_used);
	tcase_add_test(tcase,
		       directory_of_its_own_choice_goes_with_its_last_copy);
	tcase_add_test(tcase, unusable_candidate_is_passed_over);
	tcase_add_test(tcase, directory_that_was_taken_away_is_replaced);
	tcase_add_test(tcase, file_system_without_anonymous_files_will_do);
	tcase_add_test(tcase, missing_proc_will_do);
	tcase_add_test(tcase, child_does_not_remove_its_parents_copies);
	tcase_add_test(tcase, child_makes_a_directory_of_its_own);
	tcase_add_test(tcase, threads_get_paths_of_their_own);
}

static void add_refusing(TCase *tcase)
{
	tcase_add_test(tcase, directory_open_to_others_is_refused);
	tcase_add_test(tcase, directory_of_another_user_is_refused);
	tcase_add_test(tcase, link_to_a_directory_is_refused);
	tcase_add_test(tcase, directory_without_parent_is_refused);
	tcase_add_test(tcase, relative_directory_is_refused);
	tcase_add_test(tcase, longest_directory_fits_and_a_longer_one_does_not);
	tcase_add_test(tcase, noexec_mount_is_told);
	tcase_add_test(tcase, full_file_system_leaves_nothing_behind);
	tcase_add_test(tcase, file_system_without_links_leaves_nothing_behind);
	tcase_add_test(tcase,
		       file_whose_mode_cannot_be_set_leaves_nothing_behind);
	tcase_add_test(tcase, failures_keep_no_descriptor);
}

static void add_case(Suite *suite, const char *name, void (*add)(TCase *))
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add(tcase);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("store");
	SRunner *runner;
	int failed;

	add_case(suite, "writing", add_writing);
	add_case(suite, "refusing", add_refusing);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
