/* SPDX-License-Identifier: MIT */
/*
 * What runs out or changes under the library's hands: space, descriptors,
 * address space, its directory, the file that it reads. Each has its status,
 * nothing is changed, and the next apply works.
 */
#include "versions.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char directory[] = "/tmp/hotpatch-limits-XXXXXX";
static char store[64];

/* ---- What must be as before ---- */

struct facts {
	int version;
	unsigned int copies;
	unsigned int descriptors;
	unsigned int files;
	size_t patches;
};

static struct facts facts_now(void)
{
	return (struct facts){
		.version = version(),
		.copies = count_copies(),
		.descriptors = count_descriptors(),
		.files = access(store, F_OK) ? 0 : count_entries(store),
		.patches = hotpatch_patch_list(NULL, 0),
	};
}

static void expect_same(const struct facts *before)
{
	struct facts now = facts_now();

	ck_assert_int_eq(now.version, before->version);
	ck_assert_uint_eq(now.copies, before->copies);
	ck_assert_uint_eq(now.descriptors, before->descriptors);
	ck_assert_uint_eq(now.files, before->files);
	ck_assert_uint_eq(now.patches, before->patches);
}

static void expect_works(const char *name, int expected)
{
	struct hotpatch_patch *patch = apply_bundle(name);

	ck_assert_int_eq(version(), expected);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
}

static void set_up(void)
{
	struct hotpatch_config config = {.size = sizeof(config),
					 .directory = store};

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(store, sizeof(store), "%s/store", directory);
	expect_ok(hotpatch_configure(&config, &err));
}

static void tear_down(void)
{
	rmdir(store);
	rmdir(directory);
}

/* Lowers the soft limit to @value; gives back what it was. */
static rlim_t lower_limit(int what, rlim_t value)
{
	struct rlimit limit;
	rlim_t before;

	ck_assert_int_eq(getrlimit(what, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = value;
	ck_assert_int_eq(setrlimit(what, &limit), 0);
	return before;
}

/* ---- Space ---- */

static void expect_no_space(void)
{
	struct hotpatch_patch *patch = NULL;
	struct facts before = facts_now();

	expect_status(HOTPATCH_E_STORE,
		      hotpatch_patch_open(bundle_path("one"), NULL, &patch,
					  &err));
	ck_assert_ptr_null(patch);
	expect_same(&before);
}

START_TEST(file_larger_than_allowed_is_not_stored)
{
	rlim_t before;

	signal(SIGXFSZ, SIG_IGN);
	before = lower_limit(RLIMIT_FSIZE, 4096);
	expect_no_space();
	lower_limit(RLIMIT_FSIZE, before);
	expect_works("one", 1);
}
END_TEST

/* A file that takes all the room there is. */
static void fill(const char *path)
{
	static const char bytes[4096] = {1};
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

START_TEST(full_directory_stores_nothing)
{
	char filler[96];

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", directory, "tmpfs", 0, "size=262144") != 0)
		leave_out("no file system may be mounted here");
	snprintf(filler, sizeof(filler), "%s/filler", directory);
	ck_assert_int_eq(mkdir(store, 0700), 0);
	fill(filler);
	expect_no_space();
	unlink(filler);
	expect_works("one", 1);
	umount2(directory, MNT_DETACH);
}
END_TEST

/* ---- The directory ---- */

static void remove_store(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	if (patch) {
		hotpatch_patch_info(patch, &info);
		ck_assert_int_eq(unlink(info.path), 0);
	}
	ck_assert_int_eq(rmdir(store), 0);
}

START_TEST(directory_that_goes_while_a_patch_is_active_is_not_missed)
{
	struct hotpatch_patch *patch;
	struct hotpatch_patch *second;

	needs_proc();
	patch = apply_bundle("one");
	remove_store(patch);
	ck_assert_int_eq(version(), 1);
	second = apply_bundle("two");
	ck_assert_int_eq(version(), 2);
	remove_patch(second);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
	ck_assert_uint_eq(count_copies(), 0);
	expect_works("one", 1);
}
END_TEST

START_TEST(directory_that_is_somebody_elses_then_is_refused)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	struct hotpatch_patch *second = NULL;
	struct facts before;

	remove_store(patch);
	ck_assert_int_eq(mkdir(store, 0755), 0);
	ck_assert_int_eq(chmod(store, 0755), 0);
	/* The first attempt lets go of the directory that was removed. */
	expect_status(HOTPATCH_E_UNSAFE_PATH,
		      hotpatch_patch_open(bundle_path("two"), NULL, &second,
					  &err));
	before = facts_now();
	expect_status(HOTPATCH_E_UNSAFE_PATH,
		      hotpatch_patch_open(bundle_path("two"), NULL, &second,
					  &err));
	expect_same(&before);
	ck_assert_int_eq(rmdir(store), 0);
	remove_patch(patch);
	expect_works("two", 2);
}
END_TEST

/* ---- The file that is read ---- */

static char changing[96];
static off_t new_size = -1;

/*
 * Comes before the C library's, also for the library: the file has another
 * size when it is read than when it was looked at.
 */
HOTPATCH_API ssize_t pread(int fd, void *bytes, size_t size, off_t place);

ssize_t pread(int fd, void *bytes, size_t size, off_t place)
{
	if (new_size >= 0 && truncate(changing, new_size) == 0)
		new_size = -1;
	return syscall(SYS_pread64, fd, bytes, size, place);
}

static off_t copy_bundle(void)
{
	char buffer[65536];
	int from = open(bundle_path("one"), O_RDONLY | O_CLOEXEC);
	int to;
	ssize_t got;
	off_t size = 0;

	snprintf(changing, sizeof(changing), "%s/changing.so", directory);
	to = open(changing, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert(from >= 0 && to >= 0);
	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		ck_assert_int_eq(write(to, buffer, (size_t)got), got);
		size += got;
	}
	close(from);
	close(to);
	return size;
}

static void expect_changed(off_t size, enum hotpatch_status expected)
{
	struct hotpatch_patch *patch = NULL;
	struct facts before;

	copy_bundle();
	before = facts_now();
	new_size = size;
	expect_status(expected,
		      hotpatch_patch_open(changing, NULL, &patch, &err));
	ck_assert_int_eq(new_size, -1);
	ck_assert_ptr_null(patch);
	expect_same(&before);
}

START_TEST(file_that_changes_while_it_is_read_is_refused)
{
	off_t size = copy_bundle();

	expect_changed(size / 2, HOTPATCH_E_TRUNCATED);
	expect_changed(size - 1, HOTPATCH_E_TRUNCATED);
	expect_changed(0, HOTPATCH_E_TRUNCATED);
	expect_changed(size + 1, HOTPATCH_E_IO);
	unlink(changing);
	expect_works("one", 1);
}
END_TEST

/* What is loaded is what was verified, whatever becomes of the file. */
START_TEST(file_that_changes_after_it_was_read_does_no_harm)
{
	struct hotpatch_patch *patch = NULL;

	copy_bundle();
	expect_ok(hotpatch_patch_open(changing, NULL, &patch, &err));
	ck_assert_int_eq(truncate(changing, 0), 0);
	apply(patch);
	ck_assert_int_eq(version(), 1);
	unlink(changing);
	remove_patch(patch);
}
END_TEST

/* ---- Descriptors ---- */

static int taken[4096];
static size_t taken_count;
static rlim_t descriptor_limit;

static void take_descriptors(void)
{
	int fd;

	descriptor_limit = lower_limit(RLIMIT_NOFILE, 256);
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		taken[taken_count++] = fd;
	ck_assert_int_eq(errno, EMFILE);
}

static void give_descriptors_back(void)
{
	while (taken_count > 0)
		close(taken[--taken_count]);
	lower_limit(RLIMIT_NOFILE, descriptor_limit);
}

/* Opens with @spare descriptors left; true if that sufficed. */
static bool opens_with(size_t spare)
{
	struct hotpatch_patch *patch = NULL;
	struct facts before = facts_now();
	enum hotpatch_status status;
	struct hotpatch_error err;

	take_descriptors();
	while (spare-- > 0)
		close(taken[--taken_count]);
	status = hotpatch_patch_open(bundle_path("one"), NULL, &patch, &err);
	give_descriptors_back();
	if (status == HOTPATCH_OK) {
		hotpatch_patch_close(patch);
		return true;
	}
	ck_assert_ptr_null(patch);
	ck_assert_msg(status == HOTPATCH_E_IO || status == HOTPATCH_E_STORE ||
			      status == HOTPATCH_E_LOAD,
		      "%s: %s", hotpatch_status_name(status), err.sentence);
	ck_assert(err.object[0] && err.sentence[0]);
	expect_same(&before);
	return false;
}

START_TEST(too_few_descriptors_open_no_bundle)
{
	size_t spare = 0;

	while (!opens_with(spare))
		ck_assert_uint_lt(++spare, 16);
	ck_assert_uint_gt(spare, 0);
	expect_works("one", 1);
}
END_TEST

START_TEST(without_descriptors_patches_come_and_go_but_are_not_unmapped)
{
	struct hotpatch_patch *patch;

	needs_proc();
	patch = open_bundle("one");
	take_descriptors();
	apply(patch);
	ck_assert_int_eq(version(), 1);
	revert(patch);
	ck_assert_int_eq(version(), 0);
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, 50, &err));
	give_descriptors_back();
	ck_assert_uint_eq(count_copies(), 1);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
	ck_assert_uint_eq(count_copies(), 0);
	expect_works("two", 2);
}
END_TEST

/* ---- Address space ---- */

static rlim_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

#define ROOM_STEP 16384
#define ROOM_STEPS 256

/* Opens with @room more bytes of address space; true if that sufficed. */
static bool opens_in(rlim_t room)
{
	struct hotpatch_patch *patch = NULL;
	struct facts before = facts_now();
	enum hotpatch_status status;
	struct hotpatch_error err;
	rlim_t limit;

	limit = lower_limit(RLIMIT_AS, address_space() + room);
	status = hotpatch_patch_open(bundle_path("one"), NULL, &patch, &err);
	lower_limit(RLIMIT_AS, limit);
	if (status == HOTPATCH_OK) {
		hotpatch_patch_close(patch);
		return true;
	}
	ck_assert_msg(status == HOTPATCH_E_NO_MEMORY ||
			      status == HOTPATCH_E_LOAD,
		      "%s: %s", hotpatch_status_name(status), err.sentence);
	ck_assert_ptr_null(patch);
	ck_assert(err.object[0] && err.sentence[0]);
	expect_same(&before);
	return false;
}

START_TEST(too_little_address_space_maps_no_bundle)
{
	unsigned int step = 0;

	if (SANITIZED || getenv("HOTPATCH_TEST_EMULATED"))
		leave_out("others need the address space here");
	expect_works("two", 2); /* so that the loader has what it keeps */
	while (!opens_in((rlim_t)step * ROOM_STEP))
		ck_assert_uint_lt(++step, ROOM_STEPS);
	ck_assert_uint_gt(step, 0);
	expect_works("one", 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		file_larger_than_allowed_is_not_stored,
		full_directory_stores_nothing,
		directory_that_goes_while_a_patch_is_active_is_not_missed,
		directory_that_is_somebody_elses_then_is_refused,
		file_that_changes_while_it_is_read_is_refused,
		file_that_changes_after_it_was_read_does_no_harm,
		too_few_descriptors_open_no_bundle,
		without_descriptors_patches_come_and_go_but_are_not_unmapped,
		too_little_address_space_maps_no_bundle,
	};

	return run_tests_around("limits", tests,
				sizeof(tests) / sizeof(tests[0]), set_up,
				tear_down);
}
