/* SPDX-License-Identifier: MIT */
/*
 * What goes out of patched code: calls that change patches, and pointers to
 * functions.
 */
#include "support.h"

typedef int (*price_function)(int net);

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(price_function, price_to_call, (void))
{
	return price;
}

HOTPATCH_FUNCTION(int, stock, (void))
{
	return 0;
}

#define TRANSITION(patch)                                                      \
	"staged " patch "\ndetoured " patch "\nadvanced " patch "\n"
#define SETTLING(patch) "drained " patch "\nsettled " patch "\n"
#define APPLIED(patch) TRANSITION(patch) SETTLING(patch) "active " patch "\n"
#define REVERTED(patch) TRANSITION(patch) SETTLING(patch) "reverted " patch "\n"

/* What the bundle "caller" has done for it, and about which patches. */
static void (*errand)(void);
static struct hotpatch_patch *own;
static struct hotpatch_patch *other;

/* Called by the bundle. */
void visit(void);
void visit(void)
{
	void (*work)(void) = errand;

	errand = NULL;
	if (work)
		work();
}

static void apply_other(void)
{
	other = apply_bundle("other");
	ck_assert_int_eq(stock(), 30);
}

START_TEST(patched_code_applies_another_patch)
{
	uint64_t start = events_now();

	own = apply_bundle("caller");
	errand = apply_other;
	ck_assert_int_eq(price(0), 100);
	ck_assert_int_eq(stock(), 30);
	remove_patch(other);
	remove_patch(own);
	expect_events(start,
		      "opened caller\n" APPLIED(
			      "caller") "opened other\n" APPLIED("other")
			      REVERTED("other") "unmapped other\n" REVERTED(
				      "caller") "unmapped caller\n");
}
END_TEST

static void revert_own(void)
{
	begin_revert(own);
	await_drained(own);
	/* The frames above are in its code. */
	expect_status(code_stays() ? HOTPATCH_E_RETAINED : HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(own, HOTPATCH_UNMAPPED, 0, &err));
}

START_TEST(patched_code_reverts_itself_and_goes_when_it_has_returned)
{
	uint64_t start = events_now();

	own = apply_bundle("caller");
	errand = revert_own;
	ck_assert_int_eq(price(0), 100);
	ck_assert_int_eq(price(0), 1);
	await_unmapped(own);
	hotpatch_patch_close(own);
	expect_events(start, "opened caller\n" APPLIED("caller")
				     REVERTED("caller") "unmapped caller\n");
}
END_TEST

static void try_changes(void)
{
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_open(bundle_path("other"), NULL, &patch,
					  &err));
	ck_assert_ptr_null(patch);
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_apply(other, NULL, &err));
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_revert(own, NULL, &err));
	expect_status(HOTPATCH_E_IN_SECTION,
		      hotpatch_patch_wait(own, HOTPATCH_UNMAPPED, -1, &err));
}

START_TEST(patched_code_in_a_section_changes_nothing)
{
	uint64_t start;

	own = apply_bundle("caller");
	other = open_bundle("other");
	start = events_now();
	errand = try_changes;
	hotpatch_enter();
	ck_assert_int_eq(price(0), 100);
	ck_assert_int_eq(stock(), 0);
	hotpatch_leave();
	expect_events(start, "");
	hotpatch_patch_close(other);
	remove_patch(own);
}
END_TEST

START_TEST(pointers_that_escaped_follow_every_change)
{
	price_function before = price;
	price_function of_bundle;

	own = apply_bundle("caller");
	of_bundle = price_to_call();
	ck_assert_ptr_eq((void *)(intptr_t)of_bundle, (void *)(intptr_t)before);
	ck_assert_int_eq(before(0), 100);
	remove_patch(own);
	ck_assert_int_eq(before(0), 1);
	ck_assert_int_eq(of_bundle(0), 1);
	own = apply_bundle("caller");
	ck_assert_int_eq(of_bundle(0), 100);
	remove_patch(own);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		patched_code_applies_another_patch,
		patched_code_reverts_itself_and_goes_when_it_has_returned,
		patched_code_in_a_section_changes_nothing,
		pointers_that_escaped_follow_every_change,
	};

	return run_tests("patched_code", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
