/* SPDX-License-Identifier: MIT */
/*
 * A process that is killed at any moment of a patch's life. The next one
 * starts with the original code, patches work in it, and what its predecessor
 * left in the private directory does no harm.
 *
 * The library asks for the time at each phase, so a process that dies at the
 * k-th of these calls, for all k, dies in each of them.
 */
#include "versions.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NO_PHASE (-1)
#define SWEEPS 20

/* What a process that dies leaves for its parent. */
struct report {
	unsigned int calls; /* of the clock, in a life that is whole */
	int phase;	    /* the last event */
	bool before_dlclose;
	bool whole;
};

static char directory[] = "/tmp/hotpatch-kill-XXXXXX";
static struct report *report;

/* In the process that is to die: which call of the clock is the last. */
static uint32_t calls;
static uint32_t last_call;
static bool dies_at_dlclose;
static bool counts;

/* ---- Dying ---- */

static void die(void)
{
	struct hotpatch_event event;
	uint64_t since = 0;

	report->phase = NO_PHASE;
	while (hotpatch_event_read(since, &event, 1) == 1) {
		report->phase = (int)event.phase;
		since = event.sequence;
	}
	kill(getpid(), SIGKILL);
}

/* These come before the C library's, also for the library. */
HOTPATCH_API int clock_gettime(clockid_t clock, struct timespec *now);
HOTPATCH_API int dlclose(void *handle);

int clock_gettime(clockid_t clock, struct timespec *now)
{
	/* Relaxed: a count for itself. */
	if (counts && hp_add_relaxed(&calls, 1) + 1 == last_call)
		die();
	return (int)syscall(SYS_clock_gettime, clock, now);
}

int dlclose(void *handle)
{
	int (*next)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "dlclose");

	if (dies_at_dlclose) {
		report->before_dlclose = true;
		die();
	}
	return next(handle);
}

/* ---- Lives ---- */

static void use_directory(void)
{
	struct hotpatch_config config = {.size = sizeof(config),
					 .directory = directory};

	expect_ok(hotpatch_configure(&config, &err));
}

static void one_cycle(const char *name, int expected)
{
	struct hotpatch_patch *patch = apply_bundle(name);

	ck_assert_int_eq(version(), expected);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
}

/* Serves, is patched and unpatched; with luck not to the end. */
static void live(void)
{
	struct workers workers;

	use_directory();
	workers_start(&workers, 1, saw_mixture);
	counts = true;
	one_cycle("one", 1);
	counts = false;
	report->calls = hp_load_relaxed(&calls); /* nobody counts any more */
	workers_stop(&workers);
	report->whole = true;
}

/* Knows of nothing, and is patched as if it was the first. */
static void succeed(void)
{
	struct hotpatch_process_info process;

	hotpatch_process_info(&process);
	ck_assert(!process.transition);
	ck_assert_uint_eq(hotpatch_patch_list(NULL, 0), 0);
	ck_assert_uint_eq(count_copies(), 0);
	ck_assert_int_eq(version(), 0);
	use_directory();
	one_cycle("one", 1);
	one_cycle("two", 2);
	ck_assert_uint_eq(count_copies(), 0);
	report->whole = true;
}

static int run(void (*life)(void))
{
	int status = -1;
	pid_t child;

	memset(report, 0, sizeof(*report));
	report->phase = NO_PHASE;
	child = fork();
	if (child == 0) {
		life();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static void expect_killed(int status)
{
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "it ended with %#x", (unsigned int)status);
}

/* The successor sweeps what was left. */
static void expect_successor(void)
{
	ck_assert_int_eq(run(succeed), 0);
	ck_assert(report->whole);
	if (!code_stays())
		ck_assert_uint_eq(count_entries(directory), 0);
}

static void empty_directory(void)
{
	DIR *list = opendir(directory);
	const struct dirent *entry;

	while (list && (entry = readdir(list)))
		unlinkat(dirfd(list), entry->d_name, 0);
	if (list)
		closedir(list);
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(report, MAP_FAILED);
}

static void tear_down(void)
{
	empty_directory();
	rmdir(directory);
}

/* ---- Promises ---- */

/* Kills at call @number; gives back the bit of the phase that was reached. */
static uint64_t kill_at(unsigned int number, unsigned int *most_left)
{
	unsigned int left;
	int status;

	last_call = number;
	status = run(live);
	last_call = 0;
	if (report->whole)
		return 0;
	expect_killed(status);
	left = count_entries(directory);
	if (left > *most_left)
		*most_left = left;
	if (report->phase == NO_PHASE)
		return 0;
	return (uint64_t)1 << report->phase;
}

#define REACHED(name) ((uint64_t)1 << HOTPATCH_PHASE_##name)

START_TEST(killed_in_any_phase_its_successor_is_clean_and_can_be_patched)
{
	const uint64_t wanted = REACHED(OPENED) | REACHED(STAGED) |
				REACHED(DETOURED) | REACHED(ADVANCED) |
				REACHED(DRAINED) | REACHED(SETTLED) |
				REACHED(ACTIVE) | REACHED(REVERTED);
	uint64_t reached = 0;
	unsigned int most_left = 0;
	unsigned int number;
	unsigned int count;
	int sweep;

	ck_assert_int_eq(run(live), 0);
	count = report->calls;
	/* How the threads fall together decides which call meets which phase,
	 * so one sweep may miss some. */
	for (sweep = 0; sweep < SWEEPS && (reached & wanted) != wanted; sweep++)
		for (number = 1; number <= count; number++) {
			reached |= kill_at(number, &most_left);
			expect_successor();
			empty_directory();
		}
	ck_assert_uint_gt(most_left, 0);
	ck_assert_msg((reached & wanted) == wanted, "reached %#llx of %#llx",
		      (unsigned long long)reached, (unsigned long long)wanted);
}
END_TEST

START_TEST(killed_before_unmapping_its_successor_is_clean)
{
	needs_proc();
	dies_at_dlclose = true;
	expect_killed(run(live));
	dies_at_dlclose = false;
	ck_assert(report->before_dlclose);
	ck_assert_int_eq(report->phase, HOTPATCH_PHASE_REVERTED);
	ck_assert_uint_eq(count_entries(directory), 1);
	expect_successor();
}
END_TEST

/* ---- What is left ---- */

static char last_path[256];

/* As a copy that somebody uses, until the descriptor is closed. */
static int put_garbage_at(const char *path)
{
	static const char garbage[] = "not a bundle";
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0700);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
	ck_assert_int_eq(flock(fd, LOCK_SH), 0);
	return fd;
}

START_TEST(leftover_of_the_same_name_is_not_loaded)
{
	struct hotpatch_patch_info info;
	struct hotpatch_patch *patch;
	int garbage_fd;

	use_directory();
	patch = apply_bundle("one");
	hotpatch_patch_info(patch, &info);
	strcpy(last_path, info.path);
	remove_patch(patch);
	unlink(last_path);
	garbage_fd = put_garbage_at(last_path);
	patch = apply_bundle("one");
	hotpatch_patch_info(patch, &info);
	ck_assert_str_ne(info.path, last_path);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	ck_assert_int_eq(access(last_path, F_OK), 0);
	/* Nobody uses it any more, so its name is free for what is loaded. */
	close(garbage_fd);
	patch = apply_bundle("one");
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	if (!code_stays())
		ck_assert_uint_eq(count_entries(directory), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		killed_in_any_phase_its_successor_is_clean_and_can_be_patched,
		killed_before_unmapping_its_successor_is_clean,
		leftover_of_the_same_name_is_not_loaded,
	};

	return run_tests_around("kill", tests, sizeof(tests) / sizeof(tests[0]),
				set_up, tear_down);
}
