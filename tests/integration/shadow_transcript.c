/* SPDX-License-Identifier: MIT */
/*
 * The life of shadow data as one transcript: every call with what came of it,
 * and every constructor and destructor that ran.
 */
#include "support.h"

#include <hotpatch/shadow.h>

static char log_text[2048];

static void note(const char *what, const char *kind, const void *object);

static bool make_one(void *data, void *object, void *argument)
{
	*(void **)data = argument;
	note("make", "one", object);
	return true;
}

static bool make_two(void *data, void *object, void *argument)
{
	*(void **)data = argument;
	note("make", "two", object);
	return true;
}

static void destroy_one(void *data, const void *object)
{
	(void)data;
	note("destroy", "one", object);
}

static void destroy_two(void *data, const void *object)
{
	(void)data;
	note("destroy", "two", object);
}

HOTPATCH_SHADOW_WITH(void *, one, 1, make_one, destroy_one, NULL)
HOTPATCH_SHADOW_WITH(void *, two, 2, make_two, destroy_two, NULL)

static int a;
static int b;

static void note(const char *what, const char *kind, const void *object)
{
	size_t length = strlen(log_text);

	snprintf(log_text + length, sizeof(log_text) - length, "%s %s %s\n",
		 what, kind,
		 object == &a ? "a" :
		 object == &b ? "b" :
				"all");
}

/* What was found, "none" or "found" with what the constructor was given. */
static void note_found(const char *kind, const void *object, void **data)
{
	note(!data	 ? "none" :
	     *data == &a ? "found-a" :
			   "found-b",
	     kind, object);
}

static void get_both(void)
{
	note_found("one", &a, one_get(&a));
	note_found("one", &b, one_get(&b));
	note_found("two", &a, two_get(&a));
}

static void get_or_attach(void ***first)
{
	void **again = NULL;

	expect_ok(one_get_or_attach(&a, &a, &again, NULL));
	note_found("one", &a, again);
	ck_assert(!*first || *first == again);
	*first = again;
}

static void detach_all(void)
{
	note(one_detach_all() == 1 ? "detached-1" : "wrong", "one", NULL);
	await(hotpatch_poll() == 0);
	note(two_detach_all() == 1 ? "detached-1" : "wrong", "two", NULL);
	await(hotpatch_poll() == 0);
}

START_TEST(shadow_data_lives_and_goes_in_order)
{
	void **first = NULL;
	void **data = NULL;

	get_both();
	get_or_attach(&first);
	expect_ok(one_attach(&b, &b, &data, NULL));
	expect_ok(two_attach(&a, &b, &data, NULL));
	get_or_attach(&first);
	expect_status(HOTPATCH_E_ALREADY, one_attach(&a, &b, &data, &err));
	get_both();
	expect_ok(one_detach(&a));
	note("detached", "one", &a);
	await(hotpatch_poll() == 0);
	get_both();
	detach_all();
	get_both();
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	ck_assert_str_eq(log_text,
			 "none one a\nnone one b\nnone two a\n"
			 "make one a\nfound-a one a\n"
			 "make one b\nmake two a\n"
			 "found-a one a\n"
			 "found-a one a\nfound-b one b\nfound-b two a\n"
			 "detached one a\ndestroy one a\n"
			 "none one a\nfound-b one b\nfound-b two a\n"
			 "detached-1 one all\ndestroy one b\n"
			 "detached-1 two all\ndestroy two a\n"
			 "none one a\nnone one b\nnone two a\n");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {shadow_data_lives_and_goes_in_order};

	return run_tests("shadow_transcript", tests, 1);
}
