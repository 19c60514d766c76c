/* SPDX-License-Identifier: MIT */
/*
 * The list of bundles that shall be on and their copies: what is added comes
 * back in order, for its program; crashes, damage and full disks.
 */
#include "../../lib/desired.h"

#include "../../lib/store.h"
#include "crash.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char store[128];
static char folder[160];
static struct hotpatch_error err;
static char bytes_of_a[] = "the bundle a";
static char bytes_of_b[] = "another bundle";
static char bytes_of_signature[] = "a signature";
static struct hp_file signature;
static struct hp_desired_set set;

static struct hp_file file_of(char *bytes)
{
	return (struct hp_file){bytes, strlen(bytes),
				hp_file_digest(bytes, strlen(bytes))};
}

static void set_up(void)
{
	make_root();
	snprintf(store, sizeof(store), "%s/store", root);
	snprintf(folder, sizeof(folder), "%s/bundles", store);
	ck_assert_int_eq(hp_store_configure(store, &err), HOTPATCH_OK);
	signature = (struct hp_file){0};
}

static struct hp_desired desired_of(const char *program, const char *name,
				    char *bytes)
{
	struct hp_desired desired = {.identity.sequence = 7};
	const struct hp_file file = file_of(bytes);

	strcpy(desired.identity.program, program);
	strcpy(desired.identity.name, name);
	hp_identity_contents(&file, desired.identity.contents);
	return desired;
}

static enum hotpatch_status add(const char *program, const char *name,
				char *bytes, const char *superseded)
{
	const struct hp_desired desired = desired_of(program, name, bytes);
	const struct hp_file file = file_of(bytes);
	const struct hp_desired_bundle bundle = {&file, &signature, &superseded,
						 superseded != NULL};

	return hp_desired_add(&desired, &bundle, &err);
}

/* The names of the program's, each with a blank behind it. */
static const char *names(const char *program)
{
	static char text[1024];
	size_t i;

	ck_assert_int_eq(hp_desired_read(program, &set, &err), HOTPATCH_OK);
	text[0] = '\0';
	for (i = 0; i < set.count; i++) {
		strcat(text, set.list[i].identity.name);
		strcat(text, " ");
	}
	free(set.list);
	return text;
}

/* What a copy has, or the status why it has nothing. */
static enum hotpatch_status read_copy(const char *name, char *bytes,
				      char text[64], int *signature_fd)
{
	const struct hp_desired desired = desired_of("server", name, bytes);
	enum hotpatch_status status;
	ssize_t length;
	int fd;

	status = hp_desired_open(&desired.identity, &fd, signature_fd, &err);
	if (status != HOTPATCH_OK)
		return status;
	length = pread(fd, text, 63, 0);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	close(fd);
	return HOTPATCH_OK;
}

START_TEST(what_is_added_comes_back_in_order)
{
	ck_assert_str_eq(names("server"), "");
	ck_assert_int_eq(add("server", "b", bytes_of_b, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("other one", "c", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "b a ");
	ck_assert_str_eq(names("other one"), "c ");
	ck_assert(!set.off);
}
END_TEST

START_TEST(added_twice_changes_nothing_and_says_so)
{
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL),
			 HOTPATCH_E_ALREADY);
	ck_assert_str_eq(err.object, "a");
	ck_assert_str_eq(names("server"), "a ");
}
END_TEST

START_TEST(removed_twice_changes_nothing_and_says_so)
{
	ck_assert_int_eq(hp_desired_remove("server", "a", &err),
			 HOTPATCH_E_ALREADY);
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("server", "b", bytes_of_b, NULL), HOTPATCH_OK);
	ck_assert_int_eq(hp_desired_remove("server", "a", &err), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "b ");
	ck_assert_uint_eq(count_entries(folder), 1);
	ck_assert_int_eq(hp_desired_remove("server", "a", &err),
			 HOTPATCH_E_ALREADY);
	ck_assert_int_eq(hp_desired_remove("server", NULL, &err), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "");
	ck_assert_int_eq(access(folder, F_OK), -1);
}
END_TEST

START_TEST(newer_one_takes_the_place_of_its_name_and_of_what_it_replaces)
{
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("other one", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("server", "a", bytes_of_b, NULL), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "a ");
	ck_assert_int_eq(add("server", "c", bytes_of_a, "a"), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "c ");
	ck_assert_int_eq(add("server", "d", bytes_of_b, "*"), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "d ");
	ck_assert_str_eq(names("other one"), "a ");
}
END_TEST

START_TEST(copy_is_shared_by_programs_and_goes_with_the_last)
{
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(add("other one", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_uint_eq(count_entries(folder), 1);
	ck_assert_int_eq(hp_desired_remove("server", "a", &err), HOTPATCH_OK);
	ck_assert_uint_eq(count_entries(folder), 1);
	ck_assert_int_eq(hp_desired_remove("other one", "a", &err),
			 HOTPATCH_OK);
	ck_assert_uint_eq(count_entries(folder), 0);
}
END_TEST

START_TEST(copy_has_the_bytes_and_its_signature)
{
	struct stat facts;
	char text[64];
	int fd = -1;

	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(read_copy("a", bytes_of_a, text, &fd), HOTPATCH_OK);
	ck_assert_str_eq(text, bytes_of_a);
	ck_assert_int_eq(fd, -1);
	signature = file_of(bytes_of_signature);
	ck_assert_int_eq(add("server", "b", bytes_of_b, NULL), HOTPATCH_OK);
	ck_assert_int_eq(read_copy("b", bytes_of_b, text, &fd), HOTPATCH_OK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &facts), 0);
	ck_assert_int_eq(facts.st_size, strlen(bytes_of_signature));
	ck_assert_uint_eq(facts.st_mode & 07777, 0400);
	ck_assert_uint_eq(count_entries(folder), 3);
}
END_TEST

static void overwrite_copy(const char *text)
{
	const struct hp_desired desired = desired_of("server", "a", bytes_of_a);
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.so", folder,
		 desired.identity.contents);
	ck_assert_int_eq(unlink(path), 0);
	if (!text)
		return;
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

START_TEST(damaged_or_missing_copy_is_told)
{
	char text[64];
	int fd;

	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	overwrite_copy("the bundle x");
	ck_assert_int_eq(read_copy("a", bytes_of_a, text, &fd),
			 HOTPATCH_E_DAMAGED);
	ck_assert_str_eq(err.object, "a");
	overwrite_copy(NULL);
	ck_assert_int_eq(read_copy("a", bytes_of_a, text, &fd),
			 HOTPATCH_E_DAMAGED);
	/* Nothing is lost for who has the bundle. */
	ck_assert_int_eq(hp_desired_remove("server", "a", &err), HOTPATCH_OK);
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_int_eq(read_copy("a", bytes_of_a, text, &fd), HOTPATCH_OK);
}
END_TEST

START_TEST(damaged_list_is_refused_and_not_replaced)
{
	char path[160];
	FILE *file;

	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	snprintf(path, sizeof(path), "%s/desired", store);
	file = fopen(path, "a");
	ck_assert_ptr_nonnull(file);
	fputs("x", file);
	fclose(file);
	ck_assert_int_eq(hp_desired_read("server", &set, &err),
			 HOTPATCH_E_DAMAGED);
	ck_assert_str_eq(err.object, "desired");
	ck_assert_int_eq(add("server", "b", bytes_of_b, NULL),
			 HOTPATCH_E_DAMAGED);
	ck_assert_int_eq(hp_desired_remove("server", NULL, &err),
			 HOTPATCH_E_DAMAGED);
	ck_assert_uint_eq(count_entries(folder), 1);
}
END_TEST

START_TEST(file_switches_it_off)
{
	char path[160];

	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	snprintf(path, sizeof(path), "%s/off", store);
	ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	ck_assert_str_eq(names("server"), "a ");
	ck_assert(set.off);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/nowhere", path), 0);
	names("server");
	ck_assert(set.off);
	ck_assert_int_eq(unlink(path), 0);
	names("server");
	ck_assert(!set.off);
}
END_TEST

START_TEST(without_a_directory_it_says_so)
{
	ck_assert_int_eq(hp_store_configure(NULL, &err), HOTPATCH_OK);
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL),
			 HOTPATCH_E_STATE);
	ck_assert_int_eq(hp_desired_remove("server", NULL, &err),
			 HOTPATCH_E_STATE);
	ck_assert_int_eq(hp_desired_read("server", &set, &err),
			 HOTPATCH_E_STATE);
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

START_TEST(directory_that_was_removed_is_empty)
{
	char command[160];

	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	snprintf(command, sizeof(command), "rm -rf '%s'", store);
	ck_assert_int_eq(system(command), 0);
	ck_assert_str_eq(names("server"), "");
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	ck_assert_str_eq(names("server"), "a ");
}
END_TEST

START_TEST(too_many_are_refused)
{
	char program[16];
	int i;

	for (i = 0; i < 256; i++) {
		snprintf(program, sizeof(program), "p%d", i);
		ck_assert_int_eq(add(program, "a", bytes_of_a, NULL),
				 HOTPATCH_OK);
	}
	ck_assert_int_eq(add("server", "more", bytes_of_b, NULL),
			 HOTPATCH_E_LIMIT);
	ck_assert_uint_eq(count_entries(folder), 1);
}
END_TEST

static void add_on_a_full_disk(void)
{
	const struct rlimit none = {0, 0};

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &none) ||
	    add("server", "b", bytes_of_b, NULL) != HOTPATCH_E_STORE)
		_exit(1);
}

START_TEST(full_disk_is_reported_and_changes_nothing)
{
	run_child(add_on_a_full_disk);
	ck_assert_uint_eq(count_entries(store), 0);
	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	run_child(add_on_a_full_disk);
	ck_assert_str_eq(names("server"), "a ");
	ck_assert_uint_eq(count_entries(folder), 1);
}
END_TEST

/* ---- Kills ---- */

static void add_b(void)
{
	if (add("server", "b", bytes_of_b, NULL) != HOTPATCH_OK)
		_exit(1);
}

static void remove_a(void)
{
	if (hp_desired_remove("server", "a", NULL) != HOTPATCH_OK)
		_exit(1);
}

/* Each that is on the list has its copy, and nothing else lies there. */
static void check_consistent(void)
{
	char text[64];
	bool has_a = strstr(names("server"), "a ") != NULL;
	bool has_b = strstr(names("server"), "b ") != NULL;
	int fd;

	ck_assert_uint_eq(count_entries(folder), (size_t)has_a + has_b);
	if (has_a)
		ck_assert_int_eq(read_copy("a", bytes_of_a, text, &fd),
				 HOTPATCH_OK);
	if (has_b)
		ck_assert_int_eq(read_copy("b", bytes_of_b, text, &fd),
				 HOTPATCH_OK);
}

START_TEST(a_kill_between_any_two_calls_of_adding_leaves_old_or_new)
{
	enum crash crash = CRASHED;
	unsigned int added = 0;
	unsigned int step;

	ck_assert_int_eq(add("server", "a", bytes_of_a, NULL), HOTPATCH_OK);
	for (step = 0; crash == CRASHED; step++) {
		crash = crash_at(step, add_b);
		if (crash == CRASH_IS_IMPOSSIBLE)
			return;
		check_consistent();
		ck_assert_ptr_nonnull(strstr(names("server"), "a "));
		added += hp_desired_remove("server", "b", NULL) == HOTPATCH_OK;
	}
	ck_assert_uint_gt(step, 20);
	ck_assert_uint_gt(added, 1);
}
END_TEST

START_TEST(a_kill_between_any_two_calls_of_removing_leaves_old_or_new)
{
	enum crash crash = CRASHED;
	unsigned int step;

	ck_assert_int_eq(add("server", "b", bytes_of_b, NULL), HOTPATCH_OK);
	for (step = 0; crash == CRASHED; step++) {
		hp_desired_remove("server", "a", NULL);
		ck_assert_int_eq(add("server", "a", bytes_of_a, NULL),
				 HOTPATCH_OK);
		crash = crash_at(step, remove_a);
		if (crash == CRASH_IS_IMPOSSIBLE)
			return;
		check_consistent();
		ck_assert_ptr_nonnull(strstr(names("server"), "b "));
	}
	ck_assert_uint_gt(step, 20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_is_added_comes_back_in_order,
		added_twice_changes_nothing_and_says_so,
		removed_twice_changes_nothing_and_says_so,
		newer_one_takes_the_place_of_its_name_and_of_what_it_replaces,
		copy_is_shared_by_programs_and_goes_with_the_last,
		copy_has_the_bytes_and_its_signature,
		damaged_or_missing_copy_is_told,
		damaged_list_is_refused_and_not_replaced,
		file_switches_it_off,
		without_a_directory_it_says_so,
		directory_that_was_removed_is_empty,
		too_many_are_refused,
		full_disk_is_reported_and_changes_nothing,
		a_kill_between_any_two_calls_of_adding_leaves_old_or_new,
		a_kill_between_any_two_calls_of_removing_leaves_old_or_new,
	};

	return run_in_root("desired", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
