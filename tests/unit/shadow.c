/* SPDX-License-Identifier: MIT */
/*
 * Shadow data in one thread: what is found, what is refused, what
 * constructors, destructors and visits see, and when destructors run.
 */
#include "shadow.h"

#include <malloc.h>
#include <stdio.h>

/* ---- The scenarios ---- */

START_TEST(lookup_of_nothing_finds_nothing)
{
	ck_assert_ptr_null(plain_get(&objects[0]));
	ck_assert_ptr_null(plain_get(NULL));
	ck_assert_ptr_null(plain_get((void *)1));
	ck_assert_ptr_null(plain_get((void *)UINTPTR_MAX));
	ck_assert_uint_eq(plain_count(), 0);
	ck_assert_int_eq(plain_detach(&objects[0]), HOTPATCH_E_NO_SHADOW);
	ck_assert_uint_eq(plain_detach_all(), 0);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 0);
}
END_TEST

START_TEST(attach_calls_the_constructor_once)
{
	int number = 7;
	struct extra *extra = attach_extra(&objects[0], number);

	ck_assert_uint_eq(constructed, 1);
	ck_assert_ptr_eq(extra->owner, &objects[0]);
	ck_assert_int_eq(extra->number, 7);
	ck_assert_ptr_eq(extra_get(&objects[0]), extra);
	ck_assert_ptr_eq(extra_get(&objects[0]), extra);
	ck_assert_ptr_null(extra_get(&objects[1]));
	ck_assert_ptr_null(plain_get(&objects[0]));
	ck_assert_uint_eq(constructed, 1);
}
END_TEST

START_TEST(get_or_attach_calls_the_constructor_once)
{
	struct extra *first = NULL;
	struct extra *second = NULL;
	int number = 7;

	ck_assert_int_eq(extra_get_or_attach(&objects[0], &number, &first,
					     NULL),
			 HOTPATCH_OK);
	number = 8;
	ck_assert_int_eq(extra_get_or_attach(&objects[0], &number, &second,
					     NULL),
			 HOTPATCH_OK);
	ck_assert_ptr_eq(first, second);
	ck_assert_int_eq(first->number, 7);
	ck_assert_uint_eq(constructed, 1);
	ck_assert_uint_eq(extra_count(), 1);
}
END_TEST

START_TEST(second_attach_is_refused_and_changes_nothing)
{
	struct extra *extra = attach_extra(&objects[0], 1);
	struct extra *second = extra;
	struct hotpatch_error err;

	ck_assert_int_eq(extra_attach(&objects[0], NULL, &second, &err),
			 HOTPATCH_E_ALREADY);
	ck_assert(strstr(err.sentence, "extra"));
	ck_assert_ptr_null(second);
	ck_assert_ptr_eq(extra_get(&objects[0]), extra);
	ck_assert_uint_eq(constructed, 1);
}
END_TEST

START_TEST(detach_takes_one_id_of_one_object_only)
{
	attach_plain(&objects[0], 10);
	attach_plain(&objects[1], 11);
	attach_extra(&objects[0], 1);
	ck_assert_int_eq(plain_detach(&objects[0]), HOTPATCH_OK);
	ck_assert_ptr_null(plain_get(&objects[0]));
	ck_assert_uint_eq(*plain_get(&objects[1]), 11);
	ck_assert_ptr_nonnull(extra_get(&objects[0]));
	ck_assert_uint_eq(plain_count(), 1);
	ck_assert_int_eq(plain_detach(&objects[0]), HOTPATCH_E_NO_SHADOW);
	attach_plain(&objects[0], 12);
	ck_assert_uint_eq(*plain_get(&objects[0]), 12);
	reclaim_all();
	ck_assert_uint_eq(destroyed, 0);
}
END_TEST

START_TEST(detach_all_takes_all_objects_of_one_id)
{
	int i;

	for (i = 0; i < OBJECTS; i++) {
		attach_extra(&objects[i], i);
		attach_plain(&objects[i], (uint64_t)i);
	}
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 2 * OBJECTS);
	ck_assert_uint_eq(extra_detach_all(), OBJECTS);
	ck_assert_uint_eq(extra_count(), 0);
	for (i = 0; i < OBJECTS; i++) {
		ck_assert_ptr_null(extra_get(&objects[i]));
		ck_assert_uint_eq(*plain_get(&objects[i]), (uint64_t)i);
	}
	reclaim_all();
	ck_assert_uint_eq(destroyed, OBJECTS);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), OBJECTS);
}
END_TEST

START_TEST(detach_object_takes_all_ids_of_one_object)
{
	attach_plain(&objects[0], 1);
	attach_plain(&objects[1], 1);
	attach_extra(&objects[0], 1);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 2);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 0);
	ck_assert_ptr_null(plain_get(&objects[0]));
	ck_assert_ptr_null(extra_get(&objects[0]));
	ck_assert_ptr_nonnull(plain_get(&objects[1]));
	reclaim_all();
	ck_assert_uint_eq(destroyed, 1);
}
END_TEST

/* ---- What is refused ---- */

static bool refuse(void *data, void *object, void *argument)
{
	(void)data;
	(void)object;
	hp_add_relaxed(&constructed, 1); /* only the number counts */
	return argument && *(bool *)argument;
}

HOTPATCH_SHADOW_WITH(uint64_t, refused, 4, refuse, NULL, NULL)

START_TEST(constructor_that_refuses_leaves_nothing)
{
	struct hotpatch_error err;
	uint64_t *data = NULL;
	bool well = true;

	ck_assert_int_eq(refused_attach(&objects[0], NULL, &data, &err),
			 HOTPATCH_E_SHADOW_CONSTRUCTOR);
	ck_assert_int_eq(err.status, HOTPATCH_E_SHADOW_CONSTRUCTOR);
	ck_assert(strstr(err.sentence, "refused"));
	ck_assert_int_eq(refused_get_or_attach(&objects[0], NULL, &data, NULL),
			 HOTPATCH_E_SHADOW_CONSTRUCTOR);
	ck_assert_ptr_null(refused_get(&objects[0]));
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	ck_assert_int_eq(refused_attach(&objects[0], &well, &data, NULL),
			 HOTPATCH_OK);
	ck_assert_uint_eq(constructed, 3);
}
END_TEST

HOTPATCH_SHADOW(uint32_t, smaller, 1)
HOTPATCH_SHADOW(int64_t, other, 1)

static bool visit_none(void *object, uint32_t *data, void *argument)
{
	(void)object;
	(void)data;
	(void)argument;
	ck_abort_msg("visited");
}

START_TEST(size_or_tag_that_differs_is_refused)
{
	struct hotpatch_error err;

	attach_plain(&objects[0], 77);
	ck_assert_int_eq(smaller_attach(&objects[1], NULL, NULL, &err),
			 HOTPATCH_E_SHADOW_TYPE);
	ck_assert(strstr(err.sentence, "uint64_t of 8 bytes"));
	ck_assert(strstr(err.sentence, "uint32_t of 4 bytes"));
	ck_assert_int_eq(other_attach(&objects[1], NULL, NULL, NULL),
			 HOTPATCH_E_SHADOW_TYPE);
	ck_assert_int_eq(other_get_or_attach(&objects[0], NULL, NULL, NULL),
			 HOTPATCH_E_SHADOW_TYPE);
	ck_assert_ptr_null(smaller_get(&objects[0]));
	ck_assert_ptr_null(other_get(&objects[0]));
	ck_assert_int_eq(smaller_detach(&objects[0]), HOTPATCH_E_SHADOW_TYPE);
	ck_assert_int_eq(smaller_for_each(visit_none, NULL),
			 HOTPATCH_E_SHADOW_TYPE);
	ck_assert_uint_eq(smaller_detach_all(), 0);
	ck_assert_uint_eq(smaller_count(), 0);
	ck_assert_uint_eq(*plain_get(&objects[0]), 77);
}
END_TEST

START_TEST(id_is_free_for_another_type_once_its_last_shadow_is_gone)
{
	attach_plain(&objects[0], 77);
	ck_assert_int_eq(plain_detach(&objects[0]), HOTPATCH_OK);
	ck_assert_int_eq(smaller_attach(&objects[0], NULL, NULL, NULL),
			 HOTPATCH_OK);
	ck_assert_ptr_null(plain_get(&objects[0]));
	ck_assert_uint_eq(*smaller_get(&objects[0]), 0);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	struct hotpatch_shadow_type type = plain_shadow_type;
	struct hotpatch_error err;

	ck_assert_int_eq(plain_attach(NULL, NULL, NULL, &err),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(err.status, HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(plain_attach((void *)1, NULL, NULL, NULL),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(plain_detach(NULL), HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(plain_for_each(NULL, NULL), HOTPATCH_E_ARGUMENT);
	type.size--;
	ck_assert_int_eq(hotpatch_shadow_attach(&type, objects, NULL, NULL,
						NULL),
			 HOTPATCH_E_ARGUMENT);
	type = plain_shadow_type;
	type.alignment = 3;
	ck_assert_int_eq(hotpatch_shadow_attach(&type, objects, NULL, NULL,
						NULL),
			 HOTPATCH_E_ARGUMENT);
	type.alignment = 8192;
	ck_assert_int_eq(hotpatch_shadow_get_or_attach(&type, objects, NULL,
						       NULL, NULL),
			 HOTPATCH_E_ARGUMENT);
	type = plain_shadow_type;
	type.data_size = SIZE_MAX;
	ck_assert_int_eq(hotpatch_shadow_attach(&type, objects, NULL, NULL,
						NULL),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_int_eq(hotpatch_shadow_attach(NULL, objects, NULL, NULL,
						NULL),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	type = plain_shadow_type;
	type.size--;
	attach_plain(&objects[0], 1);
	ck_assert_uint_eq(hotpatch_shadow_count(&type), 0);
	ck_assert_uint_eq(hotpatch_shadow_detach_all(&type), 0);
	ck_assert_int_eq(hotpatch_shadow_for_each(&type, NULL, NULL),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_uint_eq(plain_count(), 1);
}
END_TEST

struct wide {
	char bytes[100];
} __attribute__((aligned(256)));

HOTPATCH_SHADOW(struct wide, wide, 5)

START_TEST(data_is_aligned_as_its_type)
{
	struct wide *wide = NULL;
	int i;

	for (i = 0; i < 100; i++) {
		ck_assert_int_eq(wide_attach(&objects[i], NULL, &wide, NULL),
				 HOTPATCH_OK);
		ck_assert_uint_eq((uintptr_t)wide % 256, 0);
		memset(wide, 0xff, sizeof(*wide));
	}
	ck_assert_uint_eq(wide_detach_all(), 100);
	reclaim_all();
}
END_TEST

/* ---- What constructors, destructors and visits may do ---- */

static struct hotpatch_patch *no_patch(void)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error err;

	ck_assert_int_eq(hotpatch_patch_open("/nonexistent", NULL, &patch,
					     &err),
			 HOTPATCH_E_IN_CALLBACK);
	return patch;
}

static bool try_things(void *data, void *object, void *argument)
{
	(void)argument;
	*(uint64_t *)data = 5;
	ck_assert_ptr_null(no_patch());
	ck_assert_uint_eq(hotpatch_poll(), 0);
	ck_assert_ptr_null(plain_get(object));
	ck_assert_int_eq(plain_attach(object, NULL, NULL, NULL),
			 HOTPATCH_E_IN_CALLBACK);
	ck_assert_uint_eq(plain_count(), 0);
	return true;
}

static void try_more_things(void *data, const void *object)
{
	ck_assert_uint_eq(*(uint64_t *)data, 5);
	ck_assert_ptr_null(no_patch());
	ck_assert_uint_eq(hotpatch_poll(), 0);
	attach_plain((struct object *)object, 1);
	ck_assert_int_eq(plain_detach(object), HOTPATCH_OK);
	hp_add_relaxed(&destroyed, 1); /* only the number counts */
}

HOTPATCH_SHADOW_WITH(uint64_t, trying, 6, try_things, try_more_things, NULL)

START_TEST(constructor_may_not_attach_and_a_destructor_may)
{
	ck_assert_int_eq(trying_attach(&objects[0], NULL, NULL, NULL),
			 HOTPATCH_OK);
	ck_assert_int_eq(trying_detach(&objects[0]), HOTPATCH_OK);
	reclaim_all();
	ck_assert_uint_eq(destroyed, 1);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
}
END_TEST

static bool visit_and_detach(void *object, struct extra *extra, void *argument)
{
	struct extra copy = *extra;

	++*(int *)argument;
	ck_assert_ptr_eq(extra->owner, object);
	ck_assert_int_eq(extra_detach(object), HOTPATCH_OK);
	/* Not one that was there at the beginning. */
	attach_plain(object, 1);
	if (copy.number % 2 ==
	    0) /* the next or the last: not visited any more */
		extra_detach(&objects[(copy.number + 1) % OBJECTS]);
	ck_assert_ptr_eq(extra->owner, object);
	return true;
}

START_TEST(visit_may_attach_and_detach)
{
	int visits = 0;
	int i;

	for (i = 0; i < OBJECTS; i++)
		attach_extra(&objects[i], i);
	ck_assert_int_eq(extra_for_each(visit_and_detach, &visits),
			 HOTPATCH_OK);
	ck_assert_uint_eq(extra_count(), 0);
	ck_assert_int_ge(visits, OBJECTS / 2);
	ck_assert_int_le(visits, OBJECTS);
	reclaim_all();
	ck_assert_uint_eq(destroyed, OBJECTS);
	ck_assert_uint_eq(plain_count(), (size_t)visits);
}
END_TEST

static bool visit_three(void *object, struct extra *extra, void *argument)
{
	struct hotpatch_error err;
	struct hotpatch_patch *patch;

	ck_assert_ptr_eq(extra->owner, object);
	ck_assert_int_eq(hotpatch_patch_open("/nonexistent", NULL, &patch,
					     &err),
			 HOTPATCH_E_IN_SECTION);
	return ++*(int *)argument < 3;
}

START_TEST(visit_can_end_the_walk)
{
	int visits = 0;
	int i;

	ck_assert_int_eq(extra_for_each(visit_three, &visits), HOTPATCH_OK);
	ck_assert_int_eq(visits, 0);
	for (i = 0; i < 10; i++)
		attach_extra(&objects[i], i);
	ck_assert_int_eq(extra_for_each(visit_three, &visits), HOTPATCH_OK);
	ck_assert_int_eq(visits, 3);
	ck_assert_uint_eq(hotpatch_poll(), 0); /* in no section any more */
}
END_TEST

/* ---- When destructors run ---- */

static void *poll_once(void *left)
{
	*(unsigned int *)left = hotpatch_poll();
	return NULL;
}

static unsigned int poll_elsewhere(void)
{
	unsigned int left = 0;
	pthread_t poller;

	ck_assert_int_eq(pthread_create(&poller, NULL, poll_once, &left), 0);
	pthread_join(poller, NULL);
	return left;
}

START_TEST(destructor_waits_for_the_section_that_was_open)
{
	struct extra *extra = attach_extra(&objects[0], 3);

	hotpatch_enter();
	ck_assert_int_eq(extra_detach(&objects[0]), HOTPATCH_OK);
	ck_assert_uint_gt(poll_elsewhere(), 0);
	ck_assert_int_eq(extra->number, 3);
	ck_assert_uint_eq(destroyed, 0);
	hotpatch_leave();
	reclaim_all();
	ck_assert_uint_eq(destroyed, 1);
}
END_TEST

START_TEST(destructor_waits_no_longer_than_for_a_safe_point)
{
	attach_extra(&objects[0], 3);
	hotpatch_enter();
	ck_assert_int_eq(extra_detach(&objects[0]), HOTPATCH_OK);
	ck_assert_uint_gt(poll_elsewhere(), 0);
	hotpatch_safe_point();
	ck_assert_uint_eq(poll_elsewhere(), 0);
	ck_assert_uint_eq(destroyed, 1);
	hotpatch_leave();
}
END_TEST

START_TEST(destructor_runs_once_and_only_in_who_polls)
{
	int i;

	for (i = 0; i < OBJECTS; i++) {
		attach_extra(&objects[0], i);
		ck_assert_int_eq(extra_detach(&objects[0]), HOTPATCH_OK);
	}
	ck_assert_uint_eq(destroyed, 0);
	reclaim_all();
	ck_assert_uint_eq(destroyed, OBJECTS);
	reclaim_all();
	ck_assert_uint_eq(destroyed, OBJECTS);
}
END_TEST

#if !SANITIZED
START_TEST(memory_without_a_destructor_is_freed_though_nobody_polls)
{
	size_t before;
	int i;

	for (i = 0; i < 10000; i++) {
		if (i == 1000)
			before = mallinfo2().uordblks;
		hotpatch_enter();
		attach_plain(&objects[i % OBJECTS], 1);
		ck_assert_int_eq(plain_detach(&objects[i % OBJECTS]),
				 HOTPATCH_OK);
		hotpatch_leave();
	}
	ck_assert_uint_le(mallinfo2().uordblks, before + 20000);
}
END_TEST
#endif

/* ---- Objects that are gone ---- */

static uint64_t serial_of(const void *object)
{
	return ((const struct object *)object)->serial;
}

HOTPATCH_SHADOW_WITH(struct extra, born, 3, fill, NULL, serial_of)

static struct hotpatch_event stale_event(void)
{
	struct hotpatch_event event;
	uint64_t after = 0;

	while (hotpatch_event_read(after, &event, 1) == 1) {
		if (event.phase == HOTPATCH_PHASE_SHADOW_STALE)
			return event;
		after = event.sequence;
	}
	memset(&event, 0, sizeof(event));
	return event;
}

START_TEST(debug_mode_finds_the_shadow_of_a_former_object)
{
	struct extra *extra = NULL;
	struct hotpatch_error err;
	char place[32];

	objects[0].serial = 1;
	ck_assert_int_eq(born_attach(&objects[0], NULL, &extra, NULL),
			 HOTPATCH_OK);
	hotpatch_shadow_debug(true);
	ck_assert_ptr_eq(born_get(&objects[0]), extra);
	objects[0].serial = 2; /* another object at its address */
	ck_assert_int_eq(stale_event().status, HOTPATCH_OK);
	ck_assert_ptr_null(born_get(&objects[0]));
	ck_assert_int_eq(stale_event().status, HOTPATCH_E_SHADOW_STALE);
	snprintf(place, sizeof(place), "born of 0x%016lx",
		 (unsigned long)&objects[0]);
	ck_assert_str_eq(stale_event().object, place);
	ck_assert_int_eq(born_attach(&objects[0], NULL, NULL, &err),
			 HOTPATCH_E_SHADOW_STALE);
	ck_assert(strstr(err.sentence, "former object"));
	ck_assert_int_eq(born_get_or_attach(&objects[0], NULL, NULL, NULL),
			 HOTPATCH_E_SHADOW_STALE);
	ck_assert_int_eq(born_detach(&objects[0]), HOTPATCH_OK);
	ck_assert_int_eq(born_get_or_attach(&objects[0], NULL, &extra, NULL),
			 HOTPATCH_OK);
	ck_assert_ptr_eq(born_get(&objects[0]), extra);
	hotpatch_shadow_debug(false);
	objects[0].serial = 3;
	ck_assert_ptr_eq(born_get(&objects[0]), extra);
}
END_TEST

static void add_tests(TCase *all)
{
	tcase_add_test(all, lookup_of_nothing_finds_nothing);
	tcase_add_test(all, attach_calls_the_constructor_once);
	tcase_add_test(all, get_or_attach_calls_the_constructor_once);
	tcase_add_test(all, second_attach_is_refused_and_changes_nothing);
	tcase_add_test(all, detach_takes_one_id_of_one_object_only);
	tcase_add_test(all, detach_all_takes_all_objects_of_one_id);
	tcase_add_test(all, detach_object_takes_all_ids_of_one_object);
	tcase_add_test(all, constructor_that_refuses_leaves_nothing);
	tcase_add_test(all, size_or_tag_that_differs_is_refused);
	tcase_add_test(
		all, id_is_free_for_another_type_once_its_last_shadow_is_gone);
	tcase_add_test(all, what_makes_no_sense_is_refused);
	tcase_add_test(all, data_is_aligned_as_its_type);
	tcase_add_test(all, constructor_may_not_attach_and_a_destructor_may);
	tcase_add_test(all, visit_may_attach_and_detach);
	tcase_add_test(all, visit_can_end_the_walk);
	tcase_add_test(all, destructor_waits_for_the_section_that_was_open);
	tcase_add_test(all, destructor_waits_no_longer_than_for_a_safe_point);
	tcase_add_test(all, destructor_runs_once_and_only_in_who_polls);
#if !SANITIZED
	tcase_add_test(
		all, memory_without_a_destructor_is_freed_though_nobody_polls);
#endif
	tcase_add_test(all, debug_mode_finds_the_shadow_of_a_former_object);
}

int main(void)
{
	return run_shadow_tests("shadow", add_tests);
}
