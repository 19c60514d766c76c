/* SPDX-License-Identifier: MIT */
/*
 * Bundles that the headers of an earlier library made are loaded, and do what
 * those of today's do.
 */
#include "support.h"

#include <dlfcn.h>
#include <stdint.h>
#include <hotpatch/bundle_records.h>

/* Bundles import it. */
int older_base = 100;

HOTPATCH_FUNCTION(int, older_answer, (int value))
{
	return value;
}

/* What the test is about is really in the file. */
static uint32_t size_told_by(const char *name)
{
	void *handle = dlopen(bundle_path(name), RTLD_NOW | RTLD_LOCAL);
	const struct hotpatch_bundle *bundle;
	uint32_t size;

	ck_assert_msg(handle != NULL, "%s", dlerror());
	bundle = dlsym(handle, HOTPATCH_BUNDLE_SYMBOL);
	ck_assert_ptr_nonnull(bundle);
	size = bundle->size;
	dlclose(handle);
	return size;
}

START_TEST(table_tells_its_size_or_not)
{
	ck_assert_uint_eq(size_told_by("before_size"), 0);
	ck_assert_uint_eq(size_told_by("with_size"),
			  sizeof(struct hotpatch_bundle));
}
END_TEST

/* It replaces, imports, and is told of its one state when it is in. */
static void try_bundle(const char *name)
{
	struct hotpatch_patch *patch = apply_bundle(name);

	ck_assert_int_eq(older_base, 101);
	ck_assert_int_eq(older_answer(8), 4 + 101);
	remove_patch(patch);
	ck_assert_int_eq(older_answer(8), 8);
}

START_TEST(bundle_that_tells_no_size_works)
{
	try_bundle("before_size");
}
END_TEST

START_TEST(bundle_of_todays_headers_works)
{
	try_bundle("with_size");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		table_tells_its_size_or_not,
		bundle_that_tells_no_size_works,
		bundle_of_todays_headers_works,
	};

	return run_tests("older", tests, sizeof(tests) / sizeof(tests[0]));
}
