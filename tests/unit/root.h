/* SPDX-License-Identifier: MIT */
/*
 * For tests of files: a directory for each test, which goes with all in it,
 * and a suite of such tests.
 */
#ifndef ROOT_H
#define ROOT_H

#include <check.h>
#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_UNUSED __attribute__((unused))

static char root[64];

ROOT_UNUSED static void make_root(void)
{
	strcpy(root, "/tmp/hotpatch-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	unsetenv("XDG_RUNTIME_DIR");
}

ROOT_UNUSED static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* 0 also if the directory is not there. */
ROOT_UNUSED static size_t count_entries(const char *path)
{
	DIR *list = opendir(path);
	size_t count = 0;

	if (!list)
		return 0;
	while (readdir(list))
		count++;
	closedir(list);
	return count - 2;
}

/* Each test between @set_up and @tear_down. */
ROOT_UNUSED static int run_in_root(const char *name, void (*set_up)(void),
				   void (*tear_down)(void),
				   const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;
	size_t i;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
