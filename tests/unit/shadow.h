/* SPDX-License-Identifier: MIT */
/*
 * What the tests of shadow data share: objects, two kinds of shadows, and
 * counts of what constructors and destructors did.
 */
#ifndef HOTPATCH_TEST_SHADOW_H
#define HOTPATCH_TEST_SHADOW_H

#include <hotpatch/hotpatch.h>

#include "../../lib/atomic.h"
#include "../sanitized.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS 1000

/* An object tells by its own member which one it is. */
struct object {
	uint64_t serial;
	char padding[24];
};

struct extra {
	const void *owner;
	int number;
};

static struct object objects[OBJECTS];
static uint32_t constructed;
static uint32_t destroyed;

static inline bool fill(void *data, void *object, void *argument)
{
	struct extra *extra = data;

	ck_assert_ptr_null(extra->owner);
	extra->owner = object;
	extra->number = argument ? *(int *)argument : 0;
	hp_add_relaxed(&constructed, 1); /* only the number counts */
	return true;
}

static inline void empty(void *data, const void *object)
{
	struct extra *extra = data;

	ck_assert_ptr_eq(extra->owner, object);
	extra->owner = NULL;
	hp_add_relaxed(&destroyed, 1); /* only the number counts */
}

HOTPATCH_SHADOW(uint64_t, plain, 1)
HOTPATCH_SHADOW_WITH(struct extra, extra, 2, fill, empty, NULL)

static inline struct extra *attach_extra(struct object *object, int number)
{
	struct extra *extra = NULL;

	ck_assert_int_eq(extra_attach(object, &number, &extra, NULL),
			 HOTPATCH_OK);
	return extra;
}

static inline void attach_plain(struct object *object, uint64_t value)
{
	uint64_t *data = NULL;

	ck_assert_int_eq(plain_attach(object, NULL, &data, NULL), HOTPATCH_OK);
	ck_assert_uint_eq(*data, 0);
	*data = value;
}

/* Until nothing that was detached is left. */
static inline void reclaim_all(void)
{
	int tries = 0;

	while (hotpatch_poll() > 0)
		ck_assert_int_lt(tries++, 1000);
}

static inline int run_shadow_tests(const char *name, void (*add)(TCase *))
{
	Suite *suite = suite_create(name);
	TCase *all = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	add(all);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
