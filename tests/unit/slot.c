/* SPDX-License-Identifier: MIT */
/*
 * A table's names, and which of a slot's replacements a task of each side
 * gets.
 */
#include "../../lib/slot.h"

#include "../../lib/patch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PATCHES 3

static void original(void)
{
}

static void detour(void)
{
}

static void body_a(void)
{
}

static void body_b(void)
{
}

static void body_c(void)
{
}

static void (*const bodies[PATCHES])(void) = {body_a, body_b, body_c};
static void (*target)(void);
static struct hotpatch_slot slot;
static struct hotpatch_patch patches[PATCHES];
static struct hp_binding bindings[PATCHES];

/* A slot with three replacements of growing order, none of which is on. */
static void set_up(void)
{
	size_t i;

	target = original;
	slot = (struct hotpatch_slot){.name = "function",
				      .original = original,
				      .target = &target,
				      .dispatch = detour};
	for (i = 0; i < PATCHES; i++) {
		patches[i] = (struct hotpatch_patch){.order = i + 1};
		bindings[i] = (struct hp_binding){.patch = &patches[i],
						  .function = bodies[i]};
	}
}

static void link_in_order(const char *order)
{
	for (; *order; order++)
		hp_slot_link(&slot, &bindings[*order - 'a']);
}

static void expect_stack(const char *newest_first)
{
	const struct hp_binding *binding = slot.top;

	for (; *newest_first; newest_first++, binding = binding->below) {
		ck_assert_ptr_eq(binding, &bindings[*newest_first - 'a']);
		ck_assert_ptr_eq(binding->slot, &slot);
	}
	ck_assert_ptr_null(binding);
}

START_TEST(replacements_lie_in_the_order_of_their_patches)
{
	static const char *const orders[] = {"abc", "acb", "bac",
					     "bca", "cab", "cba"};

	link_in_order(orders[_i]);
	expect_stack("cba");
}
END_TEST

START_TEST(any_replacement_can_be_taken_out)
{
	static const char *const rest[PATCHES] = {"cb", "ca", "ba"};

	link_in_order("abc");
	hp_slot_unlink(&bindings[_i]);
	expect_stack(rest[_i]);
	ck_assert_ptr_null(bindings[_i].slot);
	hp_slot_unlink(&bindings[_i]);
	expect_stack(rest[_i]);
}
END_TEST

/* Each bit of the loop's number is one patch that is on. */
START_TEST(newest_replacement_that_is_on_wins_its_side)
{
	void (*expected)(void) = original;
	size_t i;

	link_in_order("abc");
	for (i = 0; i < PATCHES; i++) {
		patches[i].on[HP_NEW_SIDE] = (_i >> i) & 1;
		if (patches[i].on[HP_NEW_SIDE])
			expected = bodies[i];
	}
	ck_assert(hp_slot_target(&slot, HP_NEW_SIDE) == expected);
	ck_assert(hp_slot_target(&slot, HP_OLD_SIDE) == original);
	ck_assert_int_eq(hp_slot_winner(&slot, HP_NEW_SIDE) == NULL, _i == 0);
}
END_TEST

START_TEST(staging_shows_nothing_and_detour_and_settling_do)
{
	link_in_order("ab");
	patches[0].on[HP_OLD_SIDE] = true;
	patches[1].on[HP_NEW_SIDE] = true;
	target = body_a;
	ck_assert(hp_slot_reserve_views(1));
	hp_slot_stage(&slot, 7, UINT64_MAX, HP_NEW_SIDE);
	ck_assert(target == body_a);
	ck_assert(slot.view->previous == body_a);
	ck_assert(slot.view->next == body_b);
	ck_assert(slot.newest == body_b);
	ck_assert_uint_eq(slot.view->since, 7);
	hp_slot_detour(&slot);
	ck_assert(target == detour);
	hp_slot_point_newest(&slot, HP_OLD_SIDE);
	ck_assert(slot.newest == body_a);
	hp_slot_settle(&slot, HP_NEW_SIDE);
	ck_assert(target == body_b);
}
END_TEST

START_TEST(callers_in_no_section_may_keep_the_old_body)
{
	link_in_order("ab");
	patches[0].on[HP_OLD_SIDE] = true;
	patches[1].on[HP_NEW_SIDE] = true;
	ck_assert(hp_slot_reserve_views(1));
	hp_slot_stage(&slot, 7, UINT64_MAX, HP_OLD_SIDE);
	ck_assert(slot.view->next == body_b);
	ck_assert(slot.newest == body_a);
}
END_TEST

START_TEST(view_record_in_use_is_not_written_again)
{
	struct hotpatch_view *first;

	ck_assert(hp_slot_reserve_views(2));
	hp_slot_stage(&slot, 7, UINT64_MAX, HP_NEW_SIDE);
	first = slot.view;
	hp_slot_stage(&slot, 9, UINT64_MAX, HP_NEW_SIDE);
	ck_assert_ptr_ne(slot.view, first);
	ck_assert_uint_eq(first->since, 7);
}
END_TEST

START_TEST(view_record_is_used_again_once_no_task_is_as_old)
{
	struct hotpatch_view *first;

	ck_assert(hp_slot_reserve_views(2));
	hp_slot_stage(&slot, 7, UINT64_MAX, HP_NEW_SIDE);
	first = slot.view;
	first->retired = 8;
	hp_slot_stage(&slot, 9, 7, HP_NEW_SIDE);
	ck_assert_ptr_ne(slot.view, first);
	ck_assert_uint_eq(first->since, 7);
	slot.view->retired = 10;
	hp_slot_stage(&slot, 11, 8, HP_NEW_SIDE);
	ck_assert_ptr_eq(slot.view, first);
	ck_assert_uint_eq(first->since, 11);
	ck_assert_uint_eq(first->retired, 0);
}
END_TEST

START_TEST(views_of_a_slot_that_goes_serve_others)
{
	struct hotpatch_view *first;

	ck_assert(hp_slot_reserve_views(1));
	hp_slot_stage(&slot, 7, UINT64_MAX, HP_NEW_SIDE);
	first = slot.view;
	hp_slot_give_views_back(&slot);
	ck_assert_ptr_null(slot.views);
	ck_assert(hp_slot_reserve_views(1));
	hp_slot_stage(&slot, 9, UINT64_MAX, HP_NEW_SIDE);
	ck_assert_ptr_eq(slot.view, first);
}
END_TEST

static struct hotpatch_slot table[] = {
	{.name = "walk"},
	{.name = "run", .file = "two.c"},
	{.name = "twin", .file = "one.c"},
	{.name = "run", .file = "one.c"},
	{.name = "run"},
	{.name = "twin", .file = "one.c"},
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

START_TEST(function_is_found_by_name_and_file)
{
	struct hp_module *module = hp_module_create(table, table + TABLE_SIZE);
	struct hotpatch_slot *found = NULL;

	ck_assert_int_eq(hp_slot_find(module, "", "walk", &found), HOTPATCH_OK);
	ck_assert_ptr_eq(found, &table[0]);
	ck_assert_int_eq(hp_slot_find(module, "", "run", &found), HOTPATCH_OK);
	ck_assert_ptr_eq(found, &table[4]);
	ck_assert_int_eq(hp_slot_find(module, "one.c", "run", &found),
			 HOTPATCH_OK);
	ck_assert_ptr_eq(found, &table[3]);
	ck_assert_int_eq(hp_slot_find(module, "two.c", "run", &found),
			 HOTPATCH_OK);
	ck_assert_ptr_eq(found, &table[1]);
	hp_module_destroy(module);
}
END_TEST

START_TEST(function_that_is_missing_or_not_alone_is_refused)
{
	static const char *const missing[][2] = {
		{"", "a"},    {"", "rum"},	 {"", "runs"},	 {"", "zebra"},
		{"", "twin"}, {"one.c", "walk"}, {"one", "run"}, {"", ""},
	};
	struct hp_module *module = hp_module_create(table, table + TABLE_SIZE);
	struct hotpatch_slot *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		ck_assert_int_eq(hp_slot_find(module, missing[i][0],
					      missing[i][1], &found),
				 HOTPATCH_E_NO_SLOT);
	ck_assert_int_eq(hp_slot_find(module, "one.c", "twin", &found),
			 HOTPATCH_E_AMBIGUOUS);
	ck_assert_ptr_null(found);
	hp_module_destroy(module);
}
END_TEST

START_TEST(static_function_is_shown_with_its_file)
{
	char text[32];
	char brief[8];

	hp_slot_name(&table[0], text, sizeof(text));
	ck_assert_str_eq(text, "walk");
	hp_slot_name(&table[1], text, sizeof(text));
	ck_assert_str_eq(text, "two.c:run");
	hp_slot_name(&table[1], brief, sizeof(brief));
	ck_assert_str_eq(brief, "two....");
}
END_TEST

START_TEST(modules_are_kept_in_the_order_in_which_they_came)
{
	struct hp_module *first = hp_module_create(&table[0], &table[2]);
	struct hp_module *second = hp_module_create(&table[2], &table[4]);

	ck_assert_ptr_null(hp_modules);
	hp_module_insert(first);
	hp_module_insert(second);
	ck_assert_ptr_eq(hp_modules, first);
	ck_assert_ptr_eq(hp_modules->next, second);
	ck_assert_ptr_null(hp_module_at(&table[1]));
	ck_assert_ptr_eq(hp_module_at(&table[0]), first);
	hp_module_remove(first);
	ck_assert_ptr_eq(hp_modules, second);
	ck_assert_ptr_eq(hp_module_at(&table[2]), second);
	hp_module_remove(second);
	ck_assert_ptr_null(hp_modules);
	hp_module_destroy(first);
	hp_module_destroy(second);
}
END_TEST

static void add_tests(TCase *all)
{
	tcase_add_loop_test(all, replacements_lie_in_the_order_of_their_patches,
			    0, 6);
	tcase_add_loop_test(all, any_replacement_can_be_taken_out, 0, PATCHES);
	tcase_add_loop_test(all, newest_replacement_that_is_on_wins_its_side, 0,
			    1 << PATCHES);
	tcase_add_test(all, staging_shows_nothing_and_detour_and_settling_do);
	tcase_add_test(all, callers_in_no_section_may_keep_the_old_body);
	tcase_add_test(all, view_record_in_use_is_not_written_again);
	tcase_add_test(all, view_record_is_used_again_once_no_task_is_as_old);
	tcase_add_test(all, views_of_a_slot_that_goes_serve_others);
	tcase_add_test(all, function_is_found_by_name_and_file);
	tcase_add_test(all, function_that_is_missing_or_not_alone_is_refused);
	tcase_add_test(all, static_function_is_shown_with_its_file);
	tcase_add_test(all, modules_are_kept_in_the_order_in_which_they_came);
}

int main(void)
{
	Suite *suite = suite_create("slot");
	TCase *all = tcase_create("slot");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, set_up, NULL);
	add_tests(all);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
