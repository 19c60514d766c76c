/* SPDX-License-Identifier: MIT */
/*
 * The private directory between processes: what the killed left is swept, what
 * the living have stays, and whoever is killed wherever is in nobody's way.
 */
#include "../../lib/store.h"

#include "crash.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char store[128];
static struct hp_file file;
static char bytes[] = "bundle";

static void set_up(void)
{
	make_root();
	snprintf(store, sizeof(store), "%s/store", root);
	file = (struct hp_file){bytes, sizeof(bytes), 1234567890};
}

static void configure(void)
{
	struct hotpatch_error err;

	ck_assert_int_eq(hp_store_configure(store, &err), HOTPATCH_OK);
}

static void choose_root(void)
{
	setenv("XDG_RUNTIME_DIR", root, 1);
}

/* For children: any failure is the exit status. */
static void must(bool good)
{
	if (!good)
		_exit(1);
}

static void write_copy(char path[PATH_MAX])
{
	must(hp_store_write(&file, path, NULL) == HOTPATCH_OK);
}

static void write_and_be_killed(void)
{
	char path[PATH_MAX];

	write_copy(path);
	_exit(0); /* without a word, like a kill */
}

static void write_and_remove(void)
{
	char path[PATH_MAX];

	write_copy(path);
	must(!access(path, X_OK));
	hp_store_remove(path);
	hp_store_finish();
}

/* A process that has a copy and stays until it is told. */
struct holder {
	pid_t child;
	int ready[2];
	int stop[2];
};

static void hold(struct holder *holder)
{
	char byte;

	ck_assert_int_eq(pipe(holder->ready), 0);
	ck_assert_int_eq(pipe(holder->stop), 0);
	holder->child = fork();
	if (!holder->child) {
		char path[PATH_MAX];

		close(holder->stop[1]);
		write_copy(path);
		must(write(holder->ready[1], "", 1) == 1);
		must(read(holder->stop[0], &byte, 1) == 0);
		_exit(0);
	}
	close(holder->stop[0]);
	ck_assert_int_eq(read(holder->ready[0], &byte, 1), 1);
}

static void let_go(struct holder *holder)
{
	int status;

	close(holder->stop[1]);
	ck_assert_int_eq(waitpid(holder->child, &status, 0), holder->child);
	ck_assert_int_eq(status, 0);
}

START_TEST(copy_of_a_killed_process_is_swept)
{
	configure();
	run_child(write_and_be_killed);
	ck_assert_uint_eq(count_entries(store), 1);
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(store), 0);
}
END_TEST

START_TEST(copy_of_a_living_process_stays)
{
	struct holder holder;

	configure();
	hold(&holder);
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(store), 1);
	let_go(&holder);
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(store), 0);
}
END_TEST

static int heir_ready[2];
static int heir_stop[2];

/* Leaves a child behind that has what it has. */
static void write_and_leave_an_heir(void)
{
	char path[PATH_MAX];
	char byte;

	write_copy(path);
	if (fork() != 0)
		_exit(0);
	close(heir_stop[1]);
	must(write(heir_ready[1], "", 1) == 1);
	must(read(heir_stop[0], &byte, 1) == 0);
	_exit(0);
}

START_TEST(copy_stays_while_a_child_of_its_writer_lives)
{
	char byte;

	configure();
	ck_assert_int_eq(pipe(heir_ready), 0);
	ck_assert_int_eq(pipe(heir_stop), 0);
	run_child(write_and_leave_an_heir);
	ck_assert_int_eq(read(heir_ready[0], &byte, 1), 1);
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(store), 1);
	/* Its end of this pipe goes when it has ended, after the lock's. */
	close(heir_ready[1]);
	close(heir_stop[0]);
	close(heir_stop[1]);
	ck_assert_int_eq(read(heir_ready[0], &byte, 1), 0);
	while (count_entries(store))
		run_child(write_and_remove);
}
END_TEST

START_TEST(own_copies_are_not_swept)
{
	char first[PATH_MAX];
	char second[PATH_MAX];

	ck_assert_int_eq(mkdir(store, 0700), 0);
	configure();
	write_copy(first);
	write_copy(second);
	run_child(write_and_remove);
	ck_assert_int_eq(access(first, X_OK), 0);
	ck_assert_int_eq(access(second, X_OK), 0);
}
END_TEST

START_TEST(further_copies_of_one_bundle_are_swept)
{
	char path[160];

	ck_assert_int_eq(mkdir(store, 0700), 0);
	snprintf(path, sizeof(path), "%s/0123456789abcdef-12.so", store);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	configure();
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(store), 0);
}
END_TEST

START_TEST(what_is_no_copy_is_not_swept)
{
	char path[160];

	ck_assert_int_eq(mkdir(store, 0700), 0);
	snprintf(path, sizeof(path), "%s/0123456789abcdef.so.txt", store);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/notes", store);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	configure();
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(store), 2);
}
END_TEST

START_TEST(directory_of_a_killed_process_is_swept)
{
	choose_root();
	run_child(write_and_be_killed);
	ck_assert_uint_eq(count_entries(root), 1);
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(directory_of_a_living_process_stays)
{
	struct holder holder;

	choose_root();
	hold(&holder);
	run_child(write_and_remove);
	ck_assert_uint_eq(count_entries(root), 1);
	let_go(&holder);
}
END_TEST

START_TEST(no_descriptor_stays_when_the_last_copy_has_gone)
{
	size_t before = count_entries("/proc/self/fd");
	char path[PATH_MAX];

	ck_assert_int_eq(mkdir(store, 0700), 0);
	configure();
	write_copy(path);
	hp_store_remove(path);
	ck_assert_uint_eq(count_entries("/proc/self/fd"), before);
}
END_TEST

#define DESCRIPTORS 64

/* Closes all that it finds, as daemons do, and uses the numbers again. */
static void take_over_descriptors(void)
{
	char path[PATH_MAX];
	int fd;

	write_copy(path);
	for (fd = 3; fd < DESCRIPTORS; fd++)
		close(fd);
	for (fd = 3; fd < DESCRIPTORS; fd++)
		must(open("/dev/null", O_RDONLY) == fd);
	hp_store_remove(path);
	hp_store_finish();
	for (fd = 3; fd < DESCRIPTORS; fd++)
		must(fcntl(fd, F_GETFD) >= 0);
	must(access(path, F_OK) < 0);
}

START_TEST(descriptor_that_the_host_took_over_is_left_alone)
{
	ck_assert_int_eq(mkdir(store, 0700), 0);
	configure();
	run_child(take_over_descriptors);
}
END_TEST

#define ROUNDS 300

/* Each makes the directory and takes it away, all the time. */
static void write_and_remove_often(void)
{
	size_t i;

	for (i = 0; i < ROUNDS; i++)
		write_and_remove();
}

START_TEST(processes_that_make_and_remove_the_directory_do_not_meet)
{
	pid_t children[2];
	int status;
	size_t i;

	configure();
	for (i = 0; i < 2; i++) {
		children[i] = fork();
		if (!children[i]) {
			write_and_remove_often();
			_exit(0);
		}
	}
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(count_entries(store), 0);
}
END_TEST

/* Crashes at each step in turn; @where is empty again after the next one. */
static void crash_everywhere(const char *where)
{
	enum crash crash = CRASHED;
	unsigned int step;

	for (step = 0; crash == CRASHED; step++) {
		crash = crash_at(step, write_and_remove);
		run_child(write_and_remove);
		ck_assert_msg(count_entries(where) == 0,
			      "the crash at step %u left something", step);
	}
	if (crash == CRASH_IS_IMPOSSIBLE)
		fprintf(stderr, "left out: nobody can be traced here\n");
	else
		ck_assert_uint_gt(step, 20);
}

START_TEST(crash_at_any_step_leaves_nothing_in_a_configured_directory)
{
	configure();
	crash_everywhere(store);
}
END_TEST

START_TEST(crash_at_any_step_leaves_nothing_where_the_library_chose)
{
	choose_root();
	crash_everywhere(root);
}
END_TEST

START_TEST(file_that_does_not_fit_leaves_nothing)
{
	const struct rlimit little = {3, 3};
	struct hotpatch_error err;
	char path[PATH_MAX];

	configure();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
	ck_assert_int_eq(hp_store_write(&file, path, &err), HOTPATCH_E_STORE);
	ck_assert_int_eq(err.os_error, EFBIG);
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(unsafe_path_is_refused_and_nothing_is_made)
{
	struct hotpatch_error err;
	char path[PATH_MAX];

	ck_assert_int_eq(chmod(root, 0770), 0);
	configure();
	ck_assert_int_eq(hp_store_write(&file, path, &err),
			 HOTPATCH_E_UNSAFE_PATH);
	ck_assert_str_eq(err.object, root);
	ck_assert_uint_eq(count_entries(root), 0);
}
END_TEST

START_TEST(locked_directory_is_the_configured_one)
{
	struct hotpatch_error err;
	struct stat mine;
	struct stat wanted;
	int fd;

	ck_assert_int_eq(hp_store_lock(&fd, &err), HOTPATCH_E_STATE);
	configure();
	ck_assert_int_eq(hp_store_lock(&fd, &err), HOTPATCH_OK);
	ck_assert_int_eq(fstat(fd, &mine), 0);
	ck_assert_int_eq(stat(store, &wanted), 0);
	ck_assert_uint_eq(mine.st_ino, wanted.st_ino);
	hp_store_unlock();
	/* Nothing was put there. */
	ck_assert_int_eq(access(store, F_OK), -1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		copy_of_a_killed_process_is_swept,
		copy_of_a_living_process_stays,
		copy_stays_while_a_child_of_its_writer_lives,
		own_copies_are_not_swept,
		further_copies_of_one_bundle_are_swept,
		what_is_no_copy_is_not_swept,
		directory_of_a_killed_process_is_swept,
		directory_of_a_living_process_stays,
		no_descriptor_stays_when_the_last_copy_has_gone,
		descriptor_that_the_host_took_over_is_left_alone,
		processes_that_make_and_remove_the_directory_do_not_meet,
		crash_at_any_step_leaves_nothing_in_a_configured_directory,
		crash_at_any_step_leaves_nothing_where_the_library_chose,
		file_that_does_not_fit_leaves_nothing,
		unsafe_path_is_refused_and_nothing_is_made,
		locked_directory_is_the_configured_one,
	};

	return run_in_root("store_shared", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
