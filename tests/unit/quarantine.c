/* SPDX-License-Identifier: MIT */
/*
 * The list of bundles that are kept out: what is added, found and forgiven, by
 * program and contents; crashes and damage.
 */
#include "../../lib/quarantine.h"

#include "../../lib/store.h"
#include "crash.h"
#include "root.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char store[128];
static char list_path[160];
static struct hotpatch_error err;
static struct hp_quarantined found;
static struct hp_identity fix = {
	.program = "server with blanks",
	.contents = "0123456789abcdef-4711",
	.name = "fix",
	.sequence = UINT64_MAX,
};
static struct hp_identity other = {
	.program = "server with blanks",
	.contents = "ffffffffffffffff-1",
	.name = "other",
};

static void set_up(void)
{
	make_root();
	snprintf(store, sizeof(store), "%s/store", root);
	snprintf(list_path, sizeof(list_path), "%s/quarantine", store);
	ck_assert_int_eq(hp_store_configure(store, &err), HOTPATCH_OK);
}

static void add(const struct hp_identity *identity, const char *reason)
{
	ck_assert_int_eq(hp_quarantine_add(identity, reason, &err),
			 HOTPATCH_OK);
}

static enum hotpatch_status look(const struct hp_identity *identity)
{
	return hp_quarantine_find(identity, &found, &err);
}

static size_t count(const char *program)
{
	size_t all;

	ck_assert_int_eq(hp_quarantine_list(program, NULL, 0, &all, &err),
			 HOTPATCH_OK);
	return all;
}

START_TEST(what_was_added_is_found_with_its_reason)
{
	ck_assert_int_eq(look(&fix), HOTPATCH_OK);
	add(&fix, "ended by itself: SIGSEGV in fix");
	ck_assert_int_eq(look(&other), HOTPATCH_OK);
	ck_assert_int_eq(look(&fix), HOTPATCH_E_QUARANTINED);
	ck_assert_str_eq(found.reason, "ended by itself: SIGSEGV in fix");
	ck_assert_str_eq(found.identity.name, "fix");
	ck_assert(found.identity.sequence == UINT64_MAX);
	ck_assert_uint_gt(found.time_s, 1700000000);
	ck_assert_str_eq(err.object, "fix");
	ck_assert_ptr_nonnull(strstr(err.sentence, found.reason));
}
END_TEST

START_TEST(another_program_is_not_concerned)
{
	struct hp_identity elsewhere = fix;

	strcpy(elsewhere.program, "server");
	add(&fix, "x");
	ck_assert_int_eq(look(&elsewhere), HOTPATCH_OK);
	ck_assert_int_eq(hp_quarantine_forgive("server", NULL, &err),
			 HOTPATCH_E_ALREADY);
	ck_assert_uint_eq(count("server"), 0);
	ck_assert_uint_eq(count(NULL), 1);
}
END_TEST

START_TEST(added_twice_is_one_line_with_the_later_reason)
{
	add(&fix, "first");
	add(&other, "x");
	add(&fix, "second\nthird");
	ck_assert_uint_eq(count(NULL), 2);
	ck_assert_int_eq(look(&fix), HOTPATCH_E_QUARANTINED);
	ck_assert_str_eq(found.reason, "second?third");
}
END_TEST

START_TEST(longest_texts_fit)
{
	char reason[1000];

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	memset(fix.program, 'p', HOTPATCH_NAME_SIZE - 1);
	memset(fix.name, 'n', HOTPATCH_NAME_SIZE - 1);
	add(&fix, reason);
	add(&other, "");
	ck_assert_int_eq(look(&fix), HOTPATCH_E_QUARANTINED);
	ck_assert_uint_eq(strlen(found.reason), HP_REASON_SIZE - 1);
	ck_assert_int_eq(look(&other), HOTPATCH_E_QUARANTINED);
	ck_assert_str_eq(found.reason, "?");
}
END_TEST

START_TEST(forgiven_by_name_or_contents_and_only_once)
{
	add(&fix, "x");
	add(&other, "x");
	ck_assert_int_eq(hp_quarantine_forgive(fix.program, "fix", &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(look(&fix), HOTPATCH_OK);
	ck_assert_int_eq(hp_quarantine_forgive(fix.program, "fix", &err),
			 HOTPATCH_E_ALREADY);
	ck_assert_str_eq(err.object, "fix");
	ck_assert_int_eq(look(&other), HOTPATCH_E_QUARANTINED);
	ck_assert_int_eq(hp_quarantine_forgive(fix.program, other.contents,
					       &err),
			 HOTPATCH_OK);
	ck_assert_uint_eq(count(NULL), 0);
}
END_TEST

START_TEST(all_are_forgiven_at_once)
{
	add(&fix, "x");
	add(&other, "x");
	ck_assert_int_eq(hp_quarantine_forgive(fix.program, NULL, &err),
			 HOTPATCH_OK);
	ck_assert_uint_eq(count(NULL), 0);
	ck_assert_int_eq(hp_quarantine_forgive(fix.program, NULL, &err),
			 HOTPATCH_E_ALREADY);
}
END_TEST

START_TEST(the_oldest_of_too_many_goes)
{
	struct hp_quarantined list[300];
	size_t all;
	int i;

	add(&fix, "x");
	for (i = 0; i < 256; i++) {
		snprintf(other.contents, sizeof(other.contents), "%016x-1", i);
		add(&other, "x");
	}
	ck_assert_int_eq(look(&fix), HOTPATCH_OK);
	ck_assert_int_eq(hp_quarantine_list(NULL, list, 300, &all, &err),
			 HOTPATCH_OK);
	ck_assert_uint_eq(all, 256);
	ck_assert_str_eq(list[0].identity.contents, "0000000000000000-1");
	ck_assert_str_eq(list[255].identity.contents, other.contents);
}
END_TEST

START_TEST(without_a_directory_nothing_is_in_quarantine)
{
	ck_assert_int_eq(hp_store_configure(NULL, &err), HOTPATCH_OK);
	ck_assert_int_eq(look(&fix), HOTPATCH_OK);
	ck_assert_uint_eq(count(NULL), 0);
	ck_assert_int_eq(hp_quarantine_add(&fix, "x", &err), HOTPATCH_E_STATE);
	ck_assert_int_eq(hp_quarantine_forgive("x", NULL, &err),
			 HOTPATCH_E_STATE);
}
END_TEST

static void damage(const char *text)
{
	FILE *file = fopen(list_path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(list_path, 0600), 0);
}

START_TEST(damaged_list_is_refused_and_not_replaced)
{
	static const char *const texts[] = {
		"", "hotpatch quarantine 1\n", "hotpatch quarantine 2\nend 0\n",
		/* Whole, but with a line that is none. */
		"hotpatch quarantine 1\nx\nend %016llx\n"};
	char text[100];
	size_t i;

	add(&fix, "x");
	for (i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s", texts[i]);
		if (strchr(texts[i], '%'))
			snprintf(text, sizeof(text),
				 "hotpatch quarantine 1\nx\nend %016llx\n",
				 (unsigned long long)hp_file_digest(
					 texts[i],
					 strlen("hotpatch quarantine 1\nx\n")));
		damage(text);
		ck_assert_int_eq(look(&fix), HOTPATCH_E_DAMAGED);
		ck_assert_str_eq(err.object, "quarantine");
		ck_assert_int_eq(hp_quarantine_add(&fix, "x", &err),
				 HOTPATCH_E_DAMAGED);
		ck_assert_int_eq(hp_quarantine_forgive(fix.program, NULL, &err),
				 HOTPATCH_E_DAMAGED);
	}
}
END_TEST

START_TEST(list_of_others_is_refused)
{
	add(&fix, "x");
	ck_assert_int_eq(chmod(list_path, 0660), 0);
	ck_assert_int_eq(look(&fix), HOTPATCH_E_UNSAFE_PATH);
}
END_TEST

static void add_other(void)
{
	if (hp_quarantine_add(&other, "x", NULL) != HOTPATCH_OK)
		_exit(1);
}

START_TEST(a_kill_between_any_two_calls_forgets_nothing)
{
	enum crash crash = CRASHED;
	unsigned int step;

	add(&fix, "x");
	for (step = 0; crash == CRASHED; step++) {
		crash = crash_at(step, add_other);
		if (crash == CRASH_IS_IMPOSSIBLE)
			return;
		ck_assert_int_eq(look(&fix), HOTPATCH_E_QUARANTINED);
		if (look(&other) != HOTPATCH_OK)
			ck_assert_int_eq(hp_quarantine_forgive(other.program,
							       "other", &err),
					 HOTPATCH_OK);
		ck_assert_uint_le(count_entries(store), 2);
	}
	ck_assert_uint_gt(step, 20);
}
END_TEST

static void add_on_a_full_disk(void)
{
	const struct rlimit none = {0, 0};

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &none) ||
	    hp_quarantine_add(&other, "x", NULL) != HOTPATCH_E_STORE)
		_exit(1);
}

START_TEST(full_disk_is_reported_and_changes_nothing)
{
	add(&fix, "x");
	run_child(add_on_a_full_disk);
	ck_assert_int_eq(look(&fix), HOTPATCH_E_QUARANTINED);
	ck_assert_uint_eq(count_entries(store), 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_was_added_is_found_with_its_reason,
		another_program_is_not_concerned,
		added_twice_is_one_line_with_the_later_reason,
		longest_texts_fit,
		forgiven_by_name_or_contents_and_only_once,
		all_are_forgiven_at_once,
		the_oldest_of_too_many_goes,
		without_a_directory_nothing_is_in_quarantine,
		damaged_list_is_refused_and_not_replaced,
		list_of_others_is_refused,
		a_kill_between_any_two_calls_forgets_nothing,
		full_disk_is_reported_and_changes_nothing,
	};

	return run_in_root("quarantine", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
