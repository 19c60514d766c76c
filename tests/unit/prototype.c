/* SPDX-License-Identifier: MIT */
/*
 * Which spellings of a function's type count as one.
 */
#include "../../lib/prototype.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct pair {
	const char *a;
	const char *b;
};

static const struct pair equal[] = {
	{"int (void)", "int (void)"},
	{"int (int a)", "int ( int  b )"},
	{"int (int a)", "int (int)"},
	{"int (struct conn *c, const struct request *r)",
	 "int (struct conn *, const struct request *)"},
	{"int (struct conn *c)", "int (struct conn*conn)"},
	{"int (char buf[4])", "int (char [4])"},
	{"int (char buf[4][8])", "int (char other[4][8])"},
	{"int (int (*cb)(void *))", "int (int (*)(void *))"},
	{"int (int (*cb)(void *context, int n))", "int (int (*)(void *, int))"},
	{"int (int (*cb[2])(void *p))", "int (int (*[2])(void *))"},
	{"int (int (*(*cb)(int a))(char b))", "int (int (*(*)(int))(char))"},
	{"int (int compare(const void *a, const void *b))",
	 "int (int (const void *, const void *))"},
	{"void (unsigned long long n)", "void (unsigned long long)"},
	{"size_t (size_t n, foo_t f)", "size_t (size_t, foo_t)"},
	{"void (const char *const *argv)", "void (const char *const *)"},
	{"void (char *restrict to)", "void (char *restrict)"},
	{"void (char *__restrict to)", "void (char *restrict from)"},
	{"_Bool (_Bool a)", "bool (bool b)"},
	{"void (enum colour c, union u u)", "void (enum colour, union u)"},
	{"struct big (struct big b)", "struct big (struct big)"},
	{"int (const char *format, ...)", "int (const char *, ...)"},
	{"const char * (int\tindex)", "const char *(int i)"},
	{"int (bool on)", "int (bool)"},
	/* Not understood, but the same tokens. */
	{"int (typeof(x) y)", "int ( typeof (x) y )"},
	{"", " "},
};

static const struct pair different[] = {
	{"int (int a)", "int (long a)"},
	{"int (int a)", "long (int a)"},
	{"int (void)", "int ()"},
	{"int (int a)", "int (int a, int b)"},
	{"int (int a)", "int (int a, ...)"},
	{"int (int a)", "int (int *a)"},
	{"int (char *a)", "int (const char *a)"},
	{"int (char *const a)", "int (char *a)"},
	{"int (struct a *p)", "int (struct b *p)"},
	{"int (struct a *p)", "int (union a *p)"},
	{"int (struct a)", "int (struct)"},
	{"int (foo_t)", "int (bar_t)"},
	{"int (foo_t a)", "int (bar_t a)"},
	{"int (unsigned a)", "int (unsigned int a)"},
	{"int (unsigned)", "int (unsigned long)"},
	{"int (unsigned)", "int (unsigned __int128)"},
	{"int (unsigned)", "int (unsigned _BitInt)"},
	{"int (long)", "int (long double)"},
	{"int (char a[4])", "int (char a[5])"},
	{"int (char a[4])", "int (char *a)"},
	{"int (int n, char a[n])", "int (int m, char a[m])"},
	{"int (int (*a)(int))", "int (int (*a)(long))"},
	{"int (int (*a)(int))", "int (int *a(int))"},
	{"int (int (*a)(int b))", "int (int (*a)(int b, int c))"},
	{"int (int (x))", "int (int (y))"},
	{"inta (void)", "int a(void)"},
	{"int (typeof(x) y)", "int (typeof(x) z)"},
	{"int (int a", "int (int b"},
	{"int (int a))", "int (int b))"},
	{"int (int a) b", "int (int b) b"},
	{"int (int a b)", "int (int c d)"},
	{"int", "int (void)"},
	{"", "int (void)"},
};

static void compare(const struct pair *pair, bool expected)
{
	ck_assert_msg(hp_prototype_equal(pair->a, pair->b) == expected,
		      "%s and %s", pair->a, pair->b);
	ck_assert_msg(hp_prototype_equal(pair->b, pair->a) == expected,
		      "%s and %s", pair->b, pair->a);
	ck_assert_msg(hp_prototype_equal(pair->a, pair->a), "%s", pair->a);
}

START_TEST(blanks_and_names_of_parameters_do_not_count)
{
	compare(&equal[_i], true);
}
END_TEST

START_TEST(everything_else_counts)
{
	compare(&different[_i], false);
}
END_TEST

/* "int (int (*a)(int (*a)(… )))" with @depth pointers to functions. */
static char *nest(size_t depth, char name)
{
	char *text = malloc(depth * 16 + 64);
	char *at = text;
	size_t i;

	ck_assert_ptr_nonnull(text);
	at = stpcpy(at, "int (");
	for (i = 0; i < depth; i++) {
		at = stpcpy(at, "int (*x)(");
		at[-3] = name;
	}
	at = stpcpy(at, "int");
	for (i = 0; i <= depth; i++)
		*at++ = ')';
	*at = '\0';
	return text;
}

START_TEST(names_count_below_the_limit_of_nesting)
{
	char *shallow_a = nest(5, 'a');
	char *shallow_b = nest(5, 'b');
	char *a = nest(20, 'a');
	char *b = nest(20, 'b');
	char *deep_a = nest(100000, 'a');
	char *deep_b = nest(100000, 'b');

	ck_assert(hp_prototype_equal(shallow_a, shallow_b));
	ck_assert(!hp_prototype_equal(a, b));
	ck_assert(!hp_prototype_equal(deep_a, deep_b));
	ck_assert(hp_prototype_equal(deep_a, deep_a));
	free(shallow_a);
	free(shallow_b);
	free(a);
	free(b);
	free(deep_a);
	free(deep_b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prototype");
	TCase *tcase = tcase_create("prototype");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, blanks_and_names_of_parameters_do_not_count,
			    0, sizeof(equal) / sizeof(equal[0]));
	tcase_add_loop_test(tcase, everything_else_counts, 0,
			    sizeof(different) / sizeof(different[0]));
	tcase_add_test(tcase, names_count_below_the_limit_of_nesting);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
