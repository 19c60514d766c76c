/* SPDX-License-Identifier: MIT */
/*
 * Several patches in one process: who wins, and what is left when one goes;
 * how they require, exclude and replace each other; and the same bundle, or
 * one by the same name, a second time.
 */
#include "support.h"

HOTPATCH_FUNCTION(char, letter, (void))
{
	return 'O';
}

HOTPATCH_FUNCTION(int, number, (void))
{
	return 0;
}

static const char *const names[] = {"a", "b", "c"};

/* The letter of the newest of the three that is there, else the host's own. */
static char newest_of(struct hotpatch_patch *const patches[3])
{
	int i;

	for (i = 2; i >= 0; i--)
		if (patches[i])
			return (char)('A' + i);
	return 'O';
}

static void revert_in_order(const int order[3])
{
	struct hotpatch_patch *patches[3];
	int i;

	for (i = 0; i < 3; i++) {
		patches[i] = apply_bundle(names[i]);
		ck_assert_int_eq(letter(), 'A' + i);
	}
	for (i = 0; i < 3; i++) {
		remove_patch(patches[order[i]]);
		patches[order[i]] = NULL;
		ck_assert_int_eq(letter(), newest_of(patches));
	}
	ck_assert_uint_eq(count_copies(), 0);
	ck_assert_str_eq(patch_list_text(), "");
}

START_TEST(newest_active_patch_wins_in_every_order_of_reverting)
{
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	int i;

	for (i = 0; i < 6; i++)
		revert_in_order(orders[i]);
}
END_TEST

START_TEST(list_keeps_the_order_when_the_middle_one_leaves)
{
	struct hotpatch_patch *middle;

	apply_bundle("a");
	middle = apply_bundle("b");
	apply_bundle("c");
	ck_assert_str_eq(patch_list_text(), "a active\nb active\nc active\n");
	remove_patch(middle);
	ck_assert_str_eq(patch_list_text(), "a active\nc active\n");
	apply_bundle("b");
	ck_assert_str_eq(patch_list_text(), "a active\nc active\nb active\n");
	ck_assert_int_eq(letter(), 'B');
}
END_TEST

START_TEST(list_follows_the_order_of_applying_not_of_opening)
{
	struct hotpatch_patch *first = open_bundle("a");

	apply_bundle("b");
	apply(first);
	ck_assert_str_eq(patch_list_text(), "b active\na active\n");
	ck_assert_int_eq(letter(), 'A');
}
END_TEST

static void read_letter(void *place)
{
	*(char *)place = letter();
}

static char letter_elsewhere(void)
{
	char seen = 0;

	run_elsewhere(read_letter, &seen);
	return seen;
}

START_TEST(original_is_the_hosts_own_code_whatever_is_active)
{
	struct hotpatch_patch *below = apply_bundle("a");
	struct hotpatch_patch *above = apply_bundle("original");

	ck_assert_int_eq(letter_elsewhere(), 'o');
	remove_patch(below);
	ck_assert_int_eq(letter_elsewhere(), 'o');
	remove_patch(above);
	ck_assert_int_eq(letter(), 'O');
}
END_TEST

START_TEST(requiring_patch_is_refused_without_the_required_one)
{
	struct hotpatch_patch *patch = open_bundle("requires");

	expect_status(HOTPATCH_E_REQUIRES,
		      hotpatch_patch_apply(patch, NULL, &err));
	expect_state(patch, HOTPATCH_LOADED);
	ck_assert_int_eq(number(), 0);
	apply_bundle("a");
	apply(patch);
	ck_assert_int_eq(number(), 5);
}
END_TEST

START_TEST(required_patch_cannot_leave_before_the_one_that_requires_it)
{
	struct hotpatch_patch *base = apply_bundle("a");
	struct hotpatch_patch *patch = apply_bundle("requires");

	expect_status(HOTPATCH_E_REQUIRES,
		      hotpatch_patch_revert(base, NULL, &err));
	expect_state(base, HOTPATCH_ACTIVE);
	ck_assert_int_eq(letter(), 'A');
	remove_patch(patch);
	remove_patch(base);
	ck_assert_int_eq(letter(), 'O');
}
END_TEST

START_TEST(required_patch_cannot_be_replaced_from_under_another)
{
	struct hotpatch_patch *patch;

	apply_bundle("a");
	apply_bundle("requires");
	patch = open_bundle("replaces_a");
	expect_status(HOTPATCH_E_REQUIRES,
		      hotpatch_patch_apply(patch, NULL, &err));
	ck_assert_str_eq(patch_list_text(),
			 "a active\nrequires active\nreplaces-a loaded\n");
}
END_TEST

START_TEST(conflict_is_refused_from_either_side)
{
	struct hotpatch_patch *base = apply_bundle("a");
	struct hotpatch_patch *patch = open_bundle("conflicts");

	expect_status(HOTPATCH_E_CONFLICT,
		      hotpatch_patch_apply(patch, NULL, &err));
	ck_assert_int_eq(number(), 0);
	remove_patch(base);
	apply(patch);
	ck_assert_int_eq(number(), 6);
	base = open_bundle("a");
	expect_status(HOTPATCH_E_CONFLICT,
		      hotpatch_patch_apply(base, NULL, &err));
	ck_assert_int_eq(letter(), 'O');
}
END_TEST

START_TEST(replacing_patch_takes_the_named_one_out_in_one_step)
{
	struct hotpatch_patch *base = apply_bundle("a");
	struct hotpatch_patch *other = apply_bundle("b");
	struct hotpatch_patch *patch;

	patch = apply_bundle("replaces_a");
	ck_assert_int_eq(letter(), 'B');
	ck_assert_int_eq(number(), 7);
	await_unmapped(base);
	expect_state(base, HOTPATCH_CLOSED);
	remove_patch(other);
	ck_assert_int_eq(letter(), 'O');
	remove_patch(patch);
	ck_assert_int_eq(number(), 0);
}
END_TEST

START_TEST(patch_that_replaces_all_is_alone_afterwards)
{
	struct hotpatch_patch *base = apply_bundle("a");
	struct hotpatch_patch *other = apply_bundle("requires");

	apply_bundle("replaces_all");
	ck_assert_int_eq(letter(), 'R');
	ck_assert_int_eq(number(), 0);
	await_unmapped(base);
	await_unmapped(other);
	hotpatch_patch_close(base);
	hotpatch_patch_close(other);
	ck_assert_str_eq(patch_list_text(), "replaces-all active\n");
	ck_assert_uint_eq(count_copies(), 1);
}
END_TEST

START_TEST(replaced_patches_stay_when_the_replacing_one_is_turned_round)
{
	struct hotpatch_patch *base = apply_bundle("a");
	struct hotpatch_patch *patch = open_bundle("replaces_all");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	ck_assert_int_eq(letter(), 'R');
	begin_revert(patch);
	holder_stop(&holder);
	await_unmapped(patch);
	expect_state(base, HOTPATCH_ACTIVE);
	ck_assert_int_eq(letter(), 'A');
}
END_TEST

START_TEST(same_file_again_changes_nothing_and_gives_the_same_patch)
{
	struct hotpatch_patch *patch = apply_bundle("a");
	struct hotpatch_patch *again = NULL;
	uint64_t before = events_now();

	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_open(bundle_path("a"), NULL, &again,
					  &err));
	ck_assert_ptr_eq(again, patch);
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_apply(again, NULL, &err));
	hotpatch_patch_close(again);
	expect_events(before, "");
	ck_assert_uint_eq(count_copies(), 1);
	ck_assert_str_eq(patch_list_text(), "a active\n");
	remove_patch(patch);
}
END_TEST

START_TEST(same_file_can_come_again_after_it_went)
{
	int i;

	for (i = 0; i < 3; i++) {
		struct hotpatch_patch *patch = apply_bundle("a");

		ck_assert_int_eq(letter(), 'A');
		remove_patch(patch);
		ck_assert_int_eq(letter(), 'O');
	}
}
END_TEST

START_TEST(other_contents_by_a_known_name_are_refused)
{
	struct hotpatch_patch *patch = apply_bundle("a");
	struct hotpatch_patch *other = NULL;

	expect_status(HOTPATCH_E_CONFLICT,
		      hotpatch_patch_open(bundle_path("same_name"), NULL,
					  &other, &err));
	ck_assert_ptr_null(other);
	ck_assert_int_eq(letter(), 'A');
	remove_patch(patch);
	apply_bundle("same_name");
	ck_assert_int_eq(letter(), 'Z');
}
END_TEST

static void copy_file(const char *from, const char *to)
{
	FILE *source = fopen(from, "rb");
	FILE *copy = fopen(to, "wb");
	char bytes[4096];
	size_t got;

	ck_assert_ptr_nonnull(source);
	ck_assert_ptr_nonnull(copy);
	while ((got = fread(bytes, 1, sizeof(bytes), source)) > 0)
		ck_assert_uint_eq(fwrite(bytes, 1, got, copy), got);
	fclose(source);
	ck_assert_int_eq(fclose(copy), 0);
}

START_TEST(loaded_bytes_stay_when_the_file_is_overwritten)
{
	char path[] = "/tmp/hotpatch-test-XXXXXX";
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_patch *other = NULL;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	copy_file(bundle_path("a"), path);
	expect_ok(hotpatch_patch_open(path, NULL, &patch, &err));
	/* The same file, so what is mapped from it would change with it. */
	copy_file(bundle_path("b"), path);
	apply(patch);
	ck_assert_int_eq(letter(), 'A');
	expect_ok(hotpatch_patch_open(path, NULL, &other, &err));
	unlink(path);
	apply(other);
	ck_assert_int_eq(letter(), 'B');
	remove_patch(other);
	ck_assert_int_eq(letter(), 'A');
	remove_patch(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		newest_active_patch_wins_in_every_order_of_reverting,
		list_keeps_the_order_when_the_middle_one_leaves,
		list_follows_the_order_of_applying_not_of_opening,
		original_is_the_hosts_own_code_whatever_is_active,
		requiring_patch_is_refused_without_the_required_one,
		required_patch_cannot_leave_before_the_one_that_requires_it,
		required_patch_cannot_be_replaced_from_under_another,
		conflict_is_refused_from_either_side,
		replacing_patch_takes_the_named_one_out_in_one_step,
		patch_that_replaces_all_is_alone_afterwards,
		replaced_patches_stay_when_the_replacing_one_is_turned_round,
		same_file_again_changes_nothing_and_gives_the_same_patch,
		same_file_can_come_again_after_it_went,
		other_contents_by_a_known_name_are_refused,
		loaded_bytes_stay_when_the_file_is_overwritten,
	};

	return run_tests("stacking", tests, sizeof(tests) / sizeof(tests[0]));
}
