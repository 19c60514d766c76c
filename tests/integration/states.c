/* SPDX-License-Identifier: MIT */
/*
 * States: installed once, shared, taken over in both directions, refused when
 * they do not fit, and cleaned up once, by the last patch that has them.
 */
#include "support.h"

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

/* What the bundles see and do. */
void *install_layout(void);
void restore_layout(void *data);
unsigned int found_installed;
void *found_data;
const char *refusal;

static int layout;
static unsigned int installs;
static unsigned int restores;

void *install_layout(void)
{
	installs++;
	return &layout;
}

void restore_layout(void *data)
{
	ck_assert_ptr_eq(data, &layout);
	restores++;
}

/* "id version patches newest" of each installed state. */
static const char *state_text(void)
{
	static char text[256];
	struct hotpatch_state_info infos[4];
	size_t count = hotpatch_state_list(infos, 4);
	size_t i;

	ck_assert_uint_le(count, 1);
	text[0] = '\0';
	for (i = 0; i < count; i++)
		snprintf(text, sizeof(text), "%s %u %u %s", infos[i].id,
			 infos[i].version, infos[i].patches, infos[i].patch);
	return text;
}

#define MOVED(patch)                                                           \
	"staged " patch "\ndetoured " patch "\nadvanced " patch                \
	"\ndrained " patch "\nsettled " patch "\n"

START_TEST(fresh_state_is_installed_and_restored_on_revert)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = apply_bundle("first");

	ck_assert_uint_eq(found_installed, 0);
	ck_assert_uint_eq(installs, 1);
	ck_assert_str_eq(state_text(), "layout 1 1 first");
	remove_patch(patch);
	ck_assert_uint_eq(restores, 1);
	ck_assert_str_eq(state_text(), "");
	expect_events(
		start,
		"opened first\nprepared first\n" MOVED("first") "active first\n" MOVED(
			"first") "left first\ncleaned first layout\n"
				 "reverted first\nunmapped first\n");
}
END_TEST

START_TEST(next_bundle_that_declares_it_inherits_it)
{
	struct hotpatch_patch *first = apply_bundle("first");
	struct hotpatch_patch *second = apply_bundle("second");

	ck_assert_uint_eq(found_installed, 1);
	ck_assert_ptr_eq(found_data, &layout);
	ck_assert_uint_eq(installs, 1);
	ck_assert_str_eq(state_text(), "layout 1 2 second");
	remove_patch(first);
	ck_assert_uint_eq(found_installed, 1);
	ck_assert_uint_eq(restores, 0);
	ck_assert_str_eq(state_text(), "layout 1 1 second");
	remove_patch(second);
	ck_assert_uint_eq(found_installed, 0);
	ck_assert_uint_eq(restores, 1);
}
END_TEST

START_TEST(newer_version_on_top_goes_back_to_the_older_one)
{
	struct hotpatch_patch *first = apply_bundle("first");
	struct hotpatch_patch *newer = apply_bundle("newer");

	ck_assert_uint_eq(found_installed, 1);
	ck_assert_str_eq(state_text(), "layout 2 2 newer");
	remove_patch(newer);
	ck_assert_str_eq(state_text(), "layout 1 1 first");
	ck_assert_uint_eq(restores, 0);
	remove_patch(first);
	ck_assert_uint_eq(restores, 1);
}
END_TEST

START_TEST(cumulative_patches_take_it_over_in_both_directions)
{
	struct hotpatch_patch *two = apply_bundle("all_two");
	struct hotpatch_patch *too = apply_bundle("all_too");
	struct hotpatch_patch *again;

	ck_assert_uint_eq(installs, 1);
	ck_assert_str_eq(state_text(), "layout 2 1 all_too");
	await_unmapped(two);
	hotpatch_patch_close(two);
	again = apply_bundle("all_two");
	await_unmapped(too);
	ck_assert_str_eq(state_text(), "layout 2 1 all_two");
	ck_assert_uint_eq(installs, 1);
	ck_assert_uint_eq(restores, 0);
	ck_assert_int_eq(price(0), 500);
	remove_patch(again);
	ck_assert_uint_eq(restores, 1);
	ck_assert_str_eq(state_text(), "");
}
END_TEST

START_TEST(state_of_two_replaced_patches_is_cleaned_up_once)
{
	struct hotpatch_patch *patch;
	uint64_t start;

	hotpatch_patch_close(apply_bundle("first"));
	hotpatch_patch_close(apply_bundle("second"));
	patch = apply_bundle("all_one");
	await(hotpatch_poll() == 0);
	ck_assert_str_eq(state_text(), "layout 1 1 all_one");
	ck_assert_uint_eq(restores, 0);
	start = events_now();
	remove_patch(patch);
	ck_assert_uint_eq(installs, 1);
	ck_assert_uint_eq(restores, 1);
	expect_events(start,
		      MOVED("all_one") "left all_one\ncleaned all_one layout\n"
				       "reverted all_one\nunmapped all_one\n");
}
END_TEST

/* Refused, with words, before anything is called or moved. */
static void expect_refused(const char *name, enum hotpatch_status status)
{
	struct hotpatch_patch *patch = open_bundle(name);
	uint64_t start = events_now();
	struct hotpatch_error why;
	char refused[64];

	found_installed = 77;
	ck_assert_int_eq(hotpatch_patch_apply(patch, NULL, &why), status);
	ck_assert_int_eq(why.status, status);
	ck_assert_str_eq(why.object, "layout");
	ck_assert_ptr_nonnull(strstr(why.sentence, name));
	ck_assert_uint_eq(found_installed, 77);
	expect_state(patch, HOTPATCH_LOADED);
	snprintf(refused, sizeof(refused), "refused %s\n", name);
	expect_events(start, refused);
	hotpatch_patch_close(patch);
}

START_TEST(bundle_with_an_older_version_is_refused_before_any_callback)
{
	struct hotpatch_patch *newer = apply_bundle("all_two");

	expect_refused("first", HOTPATCH_E_STATE_OLDER);
	expect_refused("all_one", HOTPATCH_E_STATE_OLDER);
	ck_assert_str_eq(state_text(), "layout 2 1 all_two");
	ck_assert_int_eq(price(0), 500);
	remove_patch(newer);
	ck_assert_uint_eq(restores, 1);
}
END_TEST

START_TEST(bundle_that_replaces_the_owner_without_knowing_it_is_refused)
{
	struct hotpatch_patch *owner = apply_bundle("first");

	expect_refused("all_unaware", HOTPATCH_E_STATE_UNKNOWN);
	ck_assert_int_eq(price(0), 100);
	remove_patch(owner);
}
END_TEST

START_TEST(bundle_that_stands_beside_the_owner_need_not_know_it)
{
	struct hotpatch_patch *owner = apply_bundle("first");
	struct hotpatch_patch *beside = apply_bundle("unaware");

	ck_assert_int_eq(price(0), 700);
	remove_patch(beside);
	remove_patch(owner);
	ck_assert_uint_eq(restores, 1);
}
END_TEST

START_TEST(apply_that_is_turned_round_cleans_up)
{
	struct hotpatch_patch *patch = open_bundle("first");
	struct holder holder;
	uint64_t start;

	holder_start(&holder);
	start = events_now();
	begin_apply(patch);
	ck_assert_str_eq(state_text(), "layout 1 1 first");
	begin_revert(patch);
	await_unmapped(patch);
	holder_stop(&holder);
	ck_assert_uint_eq(installs, 1);
	ck_assert_uint_eq(restores, 1);
	ck_assert_str_eq(state_text(), "");
	expect_events(start, "prepared first\nstaged first\ndetoured first\n"
			     "advanced first\nturned first\ndrained first\n"
			     "settled first\nleft first\n"
			     "cleaned first layout\nreverted first\n"
			     "unmapped first\n");
}
END_TEST

START_TEST(takeover_that_is_turned_round_leaves_the_owner_its_state)
{
	struct hotpatch_patch *owner = apply_bundle("first");
	struct hotpatch_patch *patch = open_bundle("all_two");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	ck_assert_str_eq(state_text(), "layout 2 2 all_two");
	begin_revert(patch);
	await_unmapped(patch);
	holder_stop(&holder);
	ck_assert_str_eq(state_text(), "layout 1 1 first");
	ck_assert_uint_eq(restores, 0);
	remove_patch(owner);
	ck_assert_uint_eq(restores, 1);
}
END_TEST

START_TEST(prepare_that_refuses_installs_nothing)
{
	struct hotpatch_patch *patch = open_bundle("first");

	refusal = "not today";
	expect_status(HOTPATCH_E_PREPARE,
		      hotpatch_patch_apply(patch, NULL, &err));
	ck_assert_str_eq(state_text(), "");
	ck_assert_uint_eq(installs, 0);
	ck_assert_uint_eq(restores, 0);
	refusal = NULL;
	apply(patch);
	ck_assert_uint_eq(installs, 1);
	remove_patch(patch);
	ck_assert_uint_eq(restores, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fresh_state_is_installed_and_restored_on_revert,
		next_bundle_that_declares_it_inherits_it,
		newer_version_on_top_goes_back_to_the_older_one,
		cumulative_patches_take_it_over_in_both_directions,
		state_of_two_replaced_patches_is_cleaned_up_once,
		bundle_with_an_older_version_is_refused_before_any_callback,
		bundle_that_replaces_the_owner_without_knowing_it_is_refused,
		bundle_that_stands_beside_the_owner_need_not_know_it,
		apply_that_is_turned_round_cleans_up,
		takeover_that_is_turned_round_leaves_the_owner_its_state,
		prepare_that_refuses_installs_nothing,
	};

	return run_tests("states", tests, sizeof(tests) / sizeof(tests[0]));
}
