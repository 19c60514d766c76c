/* SPDX-License-Identifier: MIT */
/*
 * What the integration tests share: patches that are opened, applied and taken
 * away or fail the test with the error's sentence; golden transcripts; what
 * the process has of mappings and descriptors; threads that work through safe
 * points, and threads that keep an old view until told to let go. Each test
 * program includes it once. Also read by C++.
 */
#ifndef HOTPATCH_TEST_SUPPORT_H
#define HOTPATCH_TEST_SUPPORT_H

#include "../../lib/atomic.h"
#include "../sanitized.h"

#include <hotpatch/hotpatch.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long anything may take before the test fails; it is never slept. */
#ifndef PATIENCE_MS
#define PATIENCE_MS 20000
#endif

/* ---- Patches ---- */

/* The status that a call ought to give; else the test fails with the words
 * that the library had for it. */
#define expect_status(expected, call)                                          \
	do {                                                                   \
		struct hotpatch_error err = {HOTPATCH_OK, 0, "", ""};          \
		enum hotpatch_status got_ = (call);                            \
		ck_assert_msg(got_ == (expected), "%s is %s, wanted %s: %s",   \
			      #call, hotpatch_status_name(got_),               \
			      hotpatch_status_name(expected), err.sentence);   \
		if (got_ != HOTPATCH_OK)                                       \
			ck_assert_int_eq(err.status, got_);                    \
	} while (0)

/* @call may use &err for its error. */
#define expect_ok(call) expect_status(HOTPATCH_OK, call)

/* The file of a bundle of this test, in a buffer that the next call uses. A
 * script may have made others of the same names. */
static inline const char *bundle_path(const char *name)
{
	static char path[512];
	const char *folder = getenv("HOTPATCH_TEST_OTHER_BUNDLES");

	snprintf(path, sizeof(path), "%s/%s.so",
		 folder ? folder : HOTPATCH_TEST_BUNDLES, name);
	return path;
}

static inline struct hotpatch_patch *open_bundle(const char *name)
{
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_patch_open(bundle_path(name), NULL, &patch, &err));
	return patch;
}

static inline void begin_apply(struct hotpatch_patch *patch)
{
	expect_ok(hotpatch_patch_apply(patch, NULL, &err));
}

static inline void begin_revert(struct hotpatch_patch *patch)
{
	expect_ok(hotpatch_patch_revert(patch, NULL, &err));
}

static inline void await_drained(struct hotpatch_patch *patch)
{
	expect_ok(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
				      &err));
}

/*
 * True where /proc does not show this process's own threads, as under an
 * emulator of another CPU: then nothing is ever unmapped, and what would be is
 * retained. The tests take the one for the other there.
 */
static inline bool code_stays(void)
{
	struct hotpatch_process_info info;

	hotpatch_process_info(&info);
	return !info.sleepers;
}

/* Ends a test that is about what /proc shows where it shows nothing. */
#define needs_proc()                                                           \
	do {                                                                   \
		if (code_stays()) {                                            \
			fprintf(stderr, "left out: %s: no /proc\n", __func__); \
			return;                                                \
		}                                                              \
	} while (0)

/* Leaves out the rest of a test that cannot be had here, and says why. */
#define leave_out(reason)                                                      \
	do {                                                                   \
		fprintf(stderr, "skipped: %s: %s\n", __func__, reason);        \
		return;                                                        \
	} while (0)

static inline void await_unmapped(struct hotpatch_patch *patch)
{
	if (code_stays()) {
		expect_status(HOTPATCH_E_RETAINED,
			      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
						  PATIENCE_MS, &err));
		return;
	}
	expect_ok(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
				      &err));
}

static inline void apply(struct hotpatch_patch *patch)
{
	begin_apply(patch);
	await_drained(patch);
}

static inline void revert(struct hotpatch_patch *patch)
{
	begin_revert(patch);
	await_drained(patch);
}

/* Opens the bundle and brings it in. */
static inline struct hotpatch_patch *apply_bundle(const char *name)
{
	struct hotpatch_patch *patch = open_bundle(name);

	apply(patch);
	return patch;
}

/* Takes an active patch away and sees it unmapped; the handle is given back. */
static inline void remove_patch(struct hotpatch_patch *patch)
{
	begin_revert(patch);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}

static inline enum hotpatch_state state_of(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	if (info.state == HOTPATCH_RETAINED && code_stays())
		return HOTPATCH_CLOSED;
	return info.state;
}

#define expect_state(patch, expected)                                          \
	ck_assert_str_eq(hotpatch_state_name(state_of(patch)),                 \
			 hotpatch_state_name(expected))

/* ---- Texts that are compared whole ---- */

#define TEXT_SIZE 16384

static inline void text_add(char *text, const char *word, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, TEXT_SIZE - used, "%s%s%s\n", word,
		 more[0] ? " " : "", more);
}

/* "name state" of each known patch, a line each, in the list's order. */
static inline const char *patch_list_text(void)
{
	static char text[TEXT_SIZE];
	struct hotpatch_patch_info infos[32];
	size_t count = hotpatch_patch_list(infos, 32);
	size_t i;

	ck_assert_uint_le(count, 32);
	text[0] = '\0';
	for (i = 0; i < count; i++)
		if (infos[i].state != HOTPATCH_RETAINED || !code_stays())
			text_add(text, infos[i].name,
				 hotpatch_state_name(infos[i].state));
	return text;
}

/* ---- Transcripts ---- */

/* The number of the newest event, to be handed to expect_events(). */
static inline uint64_t events_now(void)
{
	static struct hotpatch_event events[64];
	uint64_t newest = 0;
	size_t count;

	while ((count = hotpatch_event_read(newest, events, 64)) > 0)
		newest = events[count - 1].sequence;
	return newest;
}

/* "phase patch"; "phase module" where a module comes or goes; "phase patch
 * object" of a callback that is for a module or a state. */
static inline void event_add(char *text, const struct hotpatch_event *event)
{
	bool stays = event->phase == HOTPATCH_PHASE_RETAINED && code_stays();
	bool of_module = event->phase == HOTPATCH_PHASE_MODULE_CAME ||
			 event->phase == HOTPATCH_PHASE_MODULE_WENT;

	bool of_callback = event->phase >= HOTPATCH_PHASE_PREPARED &&
			   event->phase <= HOTPATCH_PHASE_CLEANED &&
			   event->object[0];
	char both[sizeof(event->patch) + sizeof(event->object) + 1];

	snprintf(both, sizeof(both), "%s %s", event->patch, event->object);
	text_add(text,
		 hotpatch_phase_name(stays ? HOTPATCH_PHASE_UNMAPPED :
					     event->phase),
		 of_module   ? event->object :
		 of_callback ? both :
			       event->patch);
}

/* The events after @since, a line each. */
static inline const char *events_text(uint64_t since)
{
	static char text[TEXT_SIZE];
	static struct hotpatch_event events[64];
	size_t count;
	size_t i;

	text[0] = '\0';
	while ((count = hotpatch_event_read(since, events, 64)) > 0) {
		for (i = 0; i < count; i++)
			event_add(text, &events[i]);
		since = events[count - 1].sequence;
	}
	return text;
}

/* Exactly these events came after @since, each as "phase patch\n". */
#define expect_events(since, expected)                                         \
	ck_assert_str_eq(events_text(since), expected)

/* The first event of @phase after @since; the test fails if there is none. */
static inline struct hotpatch_event find_event(uint64_t since,
					       enum hotpatch_phase phase)
{
	struct hotpatch_event event;

	while (hotpatch_event_read(since, &event, 1) == 1) {
		if (event.phase == phase)
			return event;
		since = event.sequence;
	}
	ck_abort_msg("no event %s", hotpatch_phase_name(phase));
}

/* ---- What the process has ---- */

/* Private copies are named by sixteen hexadecimal digits. */
static inline bool is_copy_name(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");

	return digits == 16 && (name[16] == '.' || name[16] == '-') &&
	       strstr(name, ".so") != NULL;
}

static inline unsigned int count_retained(void)
{
	static struct hotpatch_patch_info infos[64];
	size_t count = hotpatch_patch_list(infos, 64);
	unsigned int retained = 0;
	size_t i;

	ck_assert_uint_le(count, 64);
	for (i = 0; i < count; i++)
		retained += infos[i].state == HOTPATCH_RETAINED;
	return retained;
}

/* How many bundles are mapped: executable mappings of private copies. */
static inline unsigned int count_copies(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[1024];
	const char *slash;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps)) {
		slash = strrchr(line, '/');
		count += slash && is_copy_name(slash + 1) &&
			 strstr(line, " r-xp ") != NULL;
	}
	fclose(maps);
	return code_stays() ? count - count_retained() : count;
}

static inline unsigned int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	unsigned int count = 0;

	if (!directory)
		return 0;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count - 2;
}

/* The one that counts is among them. */
static inline unsigned int count_descriptors(void)
{
	return count_entries("/proc/self/fd");
}

/* ---- Waiting without sleeping ---- */

static inline uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Looks until @condition holds; for what nobody announces. */
#define await(condition)                                                       \
	do {                                                                   \
		uint64_t until_ = now_ms() + PATIENCE_MS;                      \
		while (!(condition)) {                                         \
			ck_assert_msg(now_ms() < until_, "never came: %s",     \
				      #condition);                             \
			sched_yield();                                         \
		}                                                              \
	} while (0)

static inline void await_semaphore(sem_t *semaphore)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	while (sem_timedwait(semaphore, &until) != 0)
		ck_assert_msg(errno == EINTR, "nobody posted in time");
}

/* ---- Threads that work ---- */

#define WORKERS_MAX 64

/*
 * @request: one unit of work; true if it saw two versions at once
 * @calls:   requests that are finished
 * @mixed:   those of them that were true
 */
struct workers {
	bool (*request)(void);
	uint32_t stop;
	uint64_t calls;
	uint64_t mixed;
	sem_t working;
	size_t count;
	pthread_t threads[WORKERS_MAX];
};

static inline void *worker_main(void *argument)
{
	struct workers *workers = (struct workers *)argument;
	bool first = true;

	hotpatch_enter();
	/* Relaxed: a flag and counters, which stand for themselves. */
	while (!hp_load_relaxed(&workers->stop)) {
		hotpatch_safe_point();
		if (workers->request())
			hp_add_relaxed(&workers->mixed, 1);
		hp_add_relaxed(&workers->calls, 1); /* likewise */
		if (first)
			sem_post(&workers->working);
		first = false;
	}
	hotpatch_leave();
	return NULL;
}

/* Returns when every thread has finished a request. */
static inline void workers_start(struct workers *workers, size_t count,
				 bool (*request)(void))
{
	size_t i;

	ck_assert_uint_le(count, WORKERS_MAX);
	memset(workers, 0, sizeof(*workers));
	workers->request = request;
	workers->count = count;
	sem_init(&workers->working, 0, 0);
	for (i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&workers->threads[i], NULL,
						worker_main, workers),
				 0);
	for (i = 0; i < count; i++)
		await_semaphore(&workers->working);
}

/* Sees each thread finish more work, so none is stuck. */
static inline void workers_await_progress(struct workers *workers)
{
	/* Relaxed: only the number counts. A request of each may have been
	 * under way, and one thread may be much faster than the others. */
	uint64_t before = hp_load_relaxed(&workers->calls);

	await(hp_load_relaxed(&workers->calls) > before + workers->count);
}

/* Gives back how many requests saw a mixture. */
static inline uint64_t workers_stop(struct workers *workers)
{
	size_t i;

	hp_store_relaxed(&workers->stop, 1); /* see worker_main() */
	for (i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	sem_destroy(&workers->working);
	return workers->mixed;
}

/* ---- A thread that keeps its view ---- */

/* A thread inside a section, which runs there what it is told to. */
struct holder {
	pthread_t thread;
	sem_t told;
	sem_t done;
	void (*work)(void *argument); /* NULL: leave and end */
	void *argument;
};

static inline void *holder_main(void *argument)
{
	struct holder *holder = (struct holder *)argument;

	hotpatch_enter();
	sem_post(&holder->done);
	for (;;) {
		while (sem_wait(&holder->told) != 0)
			;
		if (!holder->work)
			break;
		holder->work(holder->argument);
		sem_post(&holder->done);
	}
	hotpatch_leave();
	return NULL;
}

/* Returns when the thread is in its section. */
static inline void holder_start(struct holder *holder)
{
	sem_init(&holder->told, 0, 0);
	sem_init(&holder->done, 0, 0);
	ck_assert_int_eq(
		pthread_create(&holder->thread, NULL, holder_main, holder), 0);
	await_semaphore(&holder->done);
}

/* Runs @work in the section and waits until it is done. */
static inline void holder_run(struct holder *holder, void (*work)(void *),
			      void *argument)
{
	holder->work = work;
	holder->argument = argument;
	sem_post(&holder->told);
	await_semaphore(&holder->done);
}

static inline void holder_pass_safe_point_(void *argument)
{
	(void)argument;
	hotpatch_safe_point();
}

/* Lets it adopt the newest view and stay in its section. */
static inline void holder_move(struct holder *holder)
{
	holder_run(holder, holder_pass_safe_point_, NULL);
}

/* Lets it leave its section and end. */
static inline void holder_stop(struct holder *holder)
{
	holder->work = NULL;
	sem_post(&holder->told);
	pthread_join(holder->thread, NULL);
	sem_destroy(&holder->told);
	sem_destroy(&holder->done);
}

/* ---- A thread for one piece of work ---- */

struct errand {
	void (*work)(void *argument);
	void *argument;
};

static inline void *errand_main(void *argument)
{
	struct errand *errand = (struct errand *)argument;

	errand->work(errand->argument);
	return NULL;
}

/*
 * Runs @work in a thread that ends before this returns. For calls of code that
 * is to be unmapped afterwards: a stack keeps words of calls that are over,
 * and the library takes those on its caller's stack for live ones.
 */
static inline void run_elsewhere(void (*work)(void *), void *argument)
{
	struct errand errand = {work, argument};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, errand_main, &errand),
			 0);
	pthread_join(thread, NULL);
}

/* ---- The program ---- */

/* Runs the tests, each in a process of its own; @setup and @teardown, which
 * may be NULL, come before and after each. */
static inline int run_tests_around(const char *name, const TTest *const *tests,
				   size_t count, void (*setup)(void),
				   void (*teardown)(void))
{
	Suite *suite = suite_create(name);
	TCase *tests_case = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;
	size_t i;

	tcase_set_timeout(tests_case, 60);
	if (setup)
		tcase_add_checked_fixture(tests_case, setup, teardown);
	for (i = 0; i < count; i++)
		tcase_add_test(tests_case, tests[i]);
	suite_add_tcase(suite, tests_case);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int run_tests(const char *name, const TTest *const *tests,
			    size_t count)
{
	return run_tests_around(name, tests, count, NULL, NULL);
}

#endif
