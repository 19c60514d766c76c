/* SPDX-License-Identifier: MIT */
/*
 * Judging a bundle without loading it: the answer is the one that opening and
 * applying it would give, also where other patches are the reason, and the
 * process is as it was. Bad files are in bad_bundles.c.
 */
#include "support.h"

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net;
}

/* Counted by code of bundles. */
int prepared;

static const struct hotpatch_open_options checking = {
	.size = sizeof(checking),
	.check_only = true,
};

/* Opened and applied it gets the same status, and either leaves nothing. */
static void expect_both(enum hotpatch_status expected, const char *name)
{
	struct hotpatch_patch *patch = NULL;
	unsigned int copies = count_copies();
	unsigned int descriptors = count_descriptors();

	expect_status(expected, hotpatch_patch_open(bundle_path(name),
						    &checking, &patch, &err));
	ck_assert_ptr_null(patch);
	ck_assert_uint_eq(count_copies(), copies);
	ck_assert_uint_eq(count_descriptors(), descriptors);
	ck_assert_int_eq(prepared, 0);
	if (expected == HOTPATCH_OK)
		return;
	patch = open_bundle(name);
	expect_status(expected, hotpatch_patch_apply(patch, NULL, &err));
	ck_assert_int_eq(prepared, 0);
	hotpatch_patch_close(patch);
}

START_TEST(good_bundle_is_good_and_nothing_runs)
{
	uint64_t events = events_now();

	expect_both(HOTPATCH_OK, "exporter");
	expect_both(HOTPATCH_OK, "constructor");
	ck_assert_uint_eq(events_now(), events);
	ck_assert_uint_eq(hotpatch_patch_list(NULL, 0), 0);
}
END_TEST

START_TEST(what_other_patches_forbid_is_told)
{
	struct hotpatch_patch *exporter;
	struct hotpatch_patch *importer;

	expect_both(HOTPATCH_E_REQUIRES, "importer");
	exporter = open_bundle("exporter");
	apply(exporter);
	expect_both(HOTPATCH_OK, "importer");
	expect_both(HOTPATCH_E_IMPORT_TYPE, "mistyped");
	expect_both(HOTPATCH_E_STATE_OLDER, "older");
	expect_both(HOTPATCH_E_CONFLICT, "conflicting");
	expect_both(HOTPATCH_OK, "successor");
	importer = open_bundle("importer");
	apply(importer);
	prepared = 0;
	expect_both(HOTPATCH_E_REQUIRES, "successor");
	remove_patch(importer);
	remove_patch(exporter);
}
END_TEST

START_TEST(patch_that_is_there_is_given_back)
{
	struct hotpatch_patch *patch = open_bundle("exporter");
	struct hotpatch_patch *found = NULL;

	apply(patch);
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_open(bundle_path("exporter"), &checking,
					  &found, &err));
	ck_assert_ptr_eq(found, patch);
	hotpatch_patch_close(found);
	remove_patch(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		good_bundle_is_good_and_nothing_runs,
		what_other_patches_forbid_is_told,
		patch_that_is_there_is_given_back,
	};

	return run_tests("checking", tests, sizeof(tests) / sizeof(tests[0]));
}
