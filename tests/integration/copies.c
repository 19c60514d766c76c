/* SPDX-License-Identifier: MIT */
/*
 * Two copies of the library in one process: the second one refuses to do
 * anything, and the first one goes on.
 */
#include "versions.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

/* What is called of the second copy. */
struct copy {
	void *handle;
	enum hotpatch_status (*open)(
		const char *path, const struct hotpatch_open_options *options,
		struct hotpatch_patch **patch, struct hotpatch_error *err);
	enum hotpatch_status (*configure)(const struct hotpatch_config *config,
					  struct hotpatch_error *err);
	void (*process_info)(struct hotpatch_process_info *info);
	unsigned int (*poll)(void);
};

/* The file that this process has the library from. */
static const char *library_path(void)
{
	Dl_info info;

	ck_assert_int_ne(dladdr((void *)(uintptr_t)hotpatch_poll, &info), 0);
	return info.dli_fname;
}

static void copy_file(const char *from, int to)
{
	static char buffer[65536];
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t count;

	ck_assert_int_ge(fd, 0);
	while ((count = read(fd, buffer, sizeof(buffer))) > 0)
		ck_assert_int_eq(write(to, buffer, (size_t)count), count);
	ck_assert_int_eq(count, 0);
	close(fd);
}

static void *symbol(void *handle, const char *name)
{
	void *address = dlsym(handle, name);

	ck_assert_msg(address != NULL, "%s", dlerror());
	return address;
}

/* Loads another copy of the library, from a file of its own. */
static struct copy load_second_copy(void)
{
	char path[64];
	struct copy copy;
	int fd = memfd_create("another-libhotpatch", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	copy_file(library_path(), fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(copy.handle != NULL, "%s", dlerror());
	*(void **)&copy.open = symbol(copy.handle, "hotpatch_patch_open");
	*(void **)&copy.configure = symbol(copy.handle, "hotpatch_configure");
	*(void **)&copy.process_info =
		symbol(copy.handle, "hotpatch_process_info");
	*(void **)&copy.poll = symbol(copy.handle, "hotpatch_poll");
	ck_assert(copy.poll != hotpatch_poll);
	close(fd);
	return copy;
}

START_TEST(second_copy_refuses_everything_and_says_why)
{
	struct hotpatch_config config = {.size = sizeof(config)};
	struct copy copy = load_second_copy();
	struct hotpatch_process_info process;
	struct hotpatch_patch *patch = NULL;

	copy.process_info(&process);
	ck_assert_int_eq(process.status, HOTPATCH_E_SECOND_COPY);
	expect_status(HOTPATCH_E_SECOND_COPY,
		      copy.open(bundle_path("one"), NULL, &patch, &err));
	ck_assert_ptr_null(patch);
	expect_status(HOTPATCH_E_SECOND_COPY, copy.configure(&config, &err));
	ck_assert_uint_eq(copy.poll(), 0);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

START_TEST(first_copy_goes_on_as_before)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	struct hotpatch_process_info process;
	struct workers workers;
	struct copy copy;

	workers_start(&workers, 2, saw_mixture);
	copy = load_second_copy();
	workers_await_progress(&workers);
	hotpatch_process_info(&process);
	ck_assert_int_eq(process.status, HOTPATCH_OK);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	patch = apply_bundle("two");
	ck_assert_int_eq(version(), 2);
	dlclose(copy.handle);
	workers_await_progress(&workers);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
	ck_assert_uint_eq(workers_stop(&workers), 0);
}
END_TEST

START_TEST(open_transition_is_not_disturbed_by_a_second_copy)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	dlclose(load_second_copy().handle);
	expect_open(patch);
	ck_assert_int_eq(version_of(&holder), 0);
	ck_assert_int_eq(version(), 1);
	holder_stop(&holder);
	await_drained(patch);
	remove_patch(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		second_copy_refuses_everything_and_says_why,
		first_copy_goes_on_as_before,
		open_transition_is_not_disturbed_by_a_second_copy,
	};
	Dl_info program;
	Dl_info library;

	/* A library that is part of the program cannot be loaded again. */
	dladdr((void *)(uintptr_t)main, &program);
	dladdr((void *)(uintptr_t)hotpatch_poll, &library);
	if (program.dli_fbase == library.dli_fbase)
		return 77;
	return run_tests("copies", tests, sizeof(tests) / sizeof(tests[0]));
}
