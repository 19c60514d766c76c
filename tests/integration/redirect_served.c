/* SPDX-License-Identifier: MIT */
/*
 * A library that comes and goes in a process whose host polls nothing: the
 * control server's thread notices.
 */
#include "support.h"

#include <hotpatch/control.h>
#include <hotpatch/redirect.h>

#include <dlfcn.h>

#define LIBRARY HOTPATCH_TEST_MODULES "/library.so"
#define TURNS 5

/* The thread looks four times a second; the fastest of a few turns was not kept
 * waiting by other processes. */
#define FASTEST_MS 1000

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

int plain(int x);

ALONE int plain(int x)
{
	volatile int copy = x;

	return copy + 1;
}

static int (*volatile call_plain)(int x) = plain;

static char folder[] = "/tmp/hotpatch-test-XXXXXX";
static char path[64];
static struct hotpatch_control *control;

static void start_server(void)
{
	struct hotpatch_control_options options = {
		.size = sizeof(options),
		.path = path,
		.group = (gid_t)-1,
	};

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/run/socket", folder);
	expect_ok(hotpatch_control_start(&options, &control, &err));
}

static void stop_server(void)
{
	hotpatch_control_stop(control);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(folder);
}

/* How long it takes until @condition holds, in ms. Nobody polls. */
#define time_until(condition)                                                  \
	__extension__({                                                        \
		uint64_t began_ = now_ms();                                    \
		await(condition);                                              \
		now_ms() - began_;                                             \
	})

static unsigned int bound(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	return info.bound;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

START_TEST(library_comes_and_goes_without_a_poll_of_the_host)
{
	struct hotpatch_patch *patch = apply_bundle("late");
	uint64_t coming_ms = PATIENCE_MS;
	uint64_t going_ms = PATIENCE_MS;
	uint64_t start = events_now();
	int (*sum)(int a, int b);
	void *library;
	int i;

	start_server();
	for (i = 0; i < TURNS; i++) {
		library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
		ck_assert_ptr_nonnull(library);
		*(void **)&sum = dlsym(library, "library_sum");
		coming_ms = least(coming_ms, time_until(sum(1, 2) == 1003));
		await(bound(patch) == 2);
		dlclose(library);
		going_ms = least(going_ms, time_until(bound(patch) == 1));
		ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 1);
		ck_assert_int_eq(call_plain(1), 102);
	}
	stop_server();
	ck_assert_uint_lt(coming_ms, FASTEST_MS);
	ck_assert_uint_lt(going_ms, FASTEST_MS);
	expect_events(start, "module-came library.so\n"
			     "module-went library.so\n"
			     "module-came library.so\n"
			     "module-went library.so\n"
			     "module-came library.so\n"
			     "module-went library.so\n"
			     "module-came library.so\n"
			     "module-went library.so\n"
			     "module-came library.so\n"
			     "module-went library.so\n");
	remove_patch(patch);
}
END_TEST

START_TEST(code_is_given_back_without_a_poll_of_the_host)
{
	unsigned char before[16];
	struct hotpatch_patch *patch;
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	void *sum = dlsym(library, "library_sum");

	memcpy(before, sum, sizeof(before));
	patch = apply_bundle("late");
	ck_assert_mem_ne(before, sum, sizeof(before));
	start_server();
	begin_revert(patch);
	await(memcmp(before, sum, sizeof(before)) == 0);
	await_unmapped(patch);
	stop_server();
	dlclose(library);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		library_comes_and_goes_without_a_poll_of_the_host,
		code_is_given_back_without_a_poll_of_the_host,
	};
	const struct hotpatch_control_options none = {.size = 1};

	if (hotpatch_control_start(&none, &control, NULL) ==
	    HOTPATCH_E_UNSUPPORTED)
		return 77;
	return run_tests("redirect_served", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
