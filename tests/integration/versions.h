/* SPDX-License-Identifier: MIT */
/*
 * A host of two functions that answer which version they are, and what tests
 * of views ask of it. Its bundles answer the same number from both, so that a
 * caller that sees two numbers has seen a mixture.
 */
#ifndef HOTPATCH_TEST_VERSIONS_H
#define HOTPATCH_TEST_VERSIONS_H

#include "support.h"

#include <sys/syscall.h>

HOTPATCH_FUNCTION(int, first_version, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(int, second_version, (void))
{
	return 0;
}

static inline size_t count_tasks(void)
{
	struct hotpatch_process_info info;

	hotpatch_process_info(&info);
	return info.tasks;
}

/* One answer for both functions; -1 if they differ. */
static inline int version(void)
{
	int first = first_version();

	return second_version() == first ? first : -1;
}

/* The last answer that any worker got. */
static uint32_t newest_seen;

/* A request for workers_start(). */
static inline bool saw_mixture(void)
{
	int seen = version();

	hp_store_relaxed(&newest_seen, (uint32_t)seen); /* for itself */
	return seen < 0;
}

static inline void store_version(void *place)
{
	*(int *)place = version();
}

static inline int version_of(struct holder *holder)
{
	int seen = -2;

	holder_run(holder, store_version, &seen);
	return seen;
}

static inline void enter(void *unused)
{
	(void)unused;
	hotpatch_enter();
}

static inline void leave(void *unused)
{
	(void)unused;
	hotpatch_leave();
}

static inline void expect_open(struct hotpatch_patch *patch)
{
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &err));
}

static inline void count_phase(uint64_t since, enum hotpatch_phase phase,
			       unsigned int expected)
{
	struct hotpatch_event event;
	unsigned int count = 0;

	while (hotpatch_event_read(since, &event, 1) == 1) {
		count += event.phase == phase;
		since = event.sequence;
	}
	ck_assert_uint_eq(count, expected);
}

/* The error's sentence has all that people need to know. */
#define expect_words(err, first, second)                                       \
	do {                                                                   \
		ck_assert_msg(strstr((err).sentence, first),                   \
			      "no \"%s\" in: %s", first, (err).sentence);      \
		ck_assert_msg(strstr((err).sentence, second),                  \
			      "no \"%s\" in: %s", second, (err).sentence);     \
	} while (0)

static inline int own_thread_id(void)
{
	return (int)syscall(SYS_gettid);
}

/* In a system call, where it stays until somebody wakes it. */
static inline bool is_asleep(int thread)
{
	char path[64];
	char text[16] = "running";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/thread-self/../%d/syscall", thread);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = 'r';
	fclose(file);
	return text[0] != 'r';
}

static inline bool poll_until_closed(const struct hotpatch_patch *patch)
{
	hotpatch_poll();
	return state_of(patch) == HOTPATCH_CLOSED;
}

#endif
