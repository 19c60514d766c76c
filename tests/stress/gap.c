/* SPDX-License-Identifier: MIT */
/*
 * How long a working thread stands still while patches come and go: the gaps
 * between two of its requests, in alternating rounds with and without patches.
 * Prints both; times are for people and fail nothing. What fails is a wrong
 * result, or a signal that arrived.
 *
 * usage: gap [SECONDS-OF-A-ROUND [ROUNDS]]
 */
#include "../../lib/atomic.h"

#include <hotpatch/hotpatch.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 100
#define BUCKETS 100000
#define BUCKET_NS 10

HOTPATCH_FUNCTION(int, first_version, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(int, second_version, (void))
{
	return 0;
}

/* One round of one kind, as the worker saw it. */
struct round {
	uint64_t longest_ns;
	uint64_t most_ns; /* 99.99 % of the gaps are shorter */
	uint64_t requests;
	uint64_t patches;
};

static struct {
	uint32_t stop;
	uint64_t mixed;
	uint64_t requests;
	uint64_t longest_ns;
	uint64_t gaps[BUCKETS];
} worker;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Every signal that there is: one that is sent to this thread stays pending,
 * where it can be seen. */
static void block_all_signals(void)
{
	const uint64_t all = UINT64_MAX;

	syscall(SYS_rt_sigprocmask, 0, &all, NULL, sizeof(all));
}

/* The value of a line of hexadecimal digits; the process is given up if it is
 * not there. */
static uint64_t status_mask(const char *name)
{
	FILE *file = fopen("/proc/thread-self/status", "r");
	uint64_t mask = 0;
	bool found = false;
	char line[256];

	while (file && !found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, name, strlen(name)) == 0;
		if (found)
			mask = strtoull(line + strlen(name), NULL, 16);
	}
	if (!found)
		abort();
	fclose(file);
	return mask;
}

static void note_gap(uint64_t gap_ns)
{
	uint64_t bucket = gap_ns / BUCKET_NS;

	worker.gaps[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	if (gap_ns > worker.longest_ns)
		worker.longest_ns = gap_ns;
}

static void *work(void *signals_arrived)
{
	uint64_t last_ns;
	uint64_t at_ns;

	block_all_signals();
	hotpatch_enter();
	last_ns = now_ns();
	while (!hp_load_relaxed(&worker.stop)) { /* a flag for itself */
		hotpatch_safe_point();
		worker.mixed += first_version() != second_version();
		worker.requests++;
		at_ns = now_ns();
		note_gap(at_ns - last_ns);
		last_ns = at_ns;
	}
	hotpatch_leave();
	*(bool *)signals_arrived |= status_mask("SigPnd:") != 0;
	return NULL;
}

static void fail(const char *what, const struct hotpatch_error *err)
{
	fprintf(stderr, "%s: %s: %s\n", what, hotpatch_status_name(err->status),
		err->sentence);
	exit(EXIT_FAILURE);
}

static void one_cycle(void)
{
	struct hotpatch_error err;
	struct hotpatch_patch *patch;

	if (hotpatch_patch_open(HOTPATCH_TEST_BUNDLES "/one.so", NULL, &patch,
				&err))
		fail("open", &err);
	if (hotpatch_patch_apply(patch, NULL, &err) ||
	    hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 20000, &err))
		fail("apply", &err);
	if (hotpatch_patch_revert(patch, NULL, &err) ||
	    hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, 20000, &err))
		fail("revert", &err);
	hotpatch_patch_close(patch);
}

/* This thread is busy in both kinds of rounds, so that only the patches
 * differ. */
static uint64_t keep_busy(bool with_patches, uint64_t until_ns)
{
	uint64_t patches = 0;

	while (now_ns() < until_ns) {
		if (!with_patches)
			continue;
		one_cycle();
		patches++;
	}
	return patches;
}

static uint64_t quantile(void)
{
	uint64_t left = worker.requests / 10000;
	size_t i = BUCKETS - 1;

	while (i > 0 && worker.gaps[i] <= left)
		left -= worker.gaps[i--];
	return i * BUCKET_NS;
}

static struct round run_round(bool with_patches, uint64_t duration_ns,
			      bool *signals_arrived)
{
	struct round round;
	uint64_t mixed = worker.mixed;
	pthread_t thread;

	memset(&worker, 0, sizeof(worker));
	worker.mixed = mixed;
	if (pthread_create(&thread, NULL, work, signals_arrived) != 0)
		abort();
	round.patches = keep_busy(with_patches, now_ns() + duration_ns);
	hp_store_relaxed(&worker.stop, 1); /* as in work() */
	pthread_join(thread, NULL);
	round.longest_ns = worker.longest_ns;
	round.most_ns = quantile();
	round.requests = worker.requests;
	return round;
}

static int by_longest(const void *a, const void *b)
{
	const struct round *left = a;
	const struct round *right = b;

	return (left->longest_ns > right->longest_ns) -
	       (left->longest_ns < right->longest_ns);
}

static void report(const char *kind, struct round *rounds, size_t count)
{
	uint64_t patches = 0;
	uint64_t most_ns = 0;
	size_t i;

	qsort(rounds, count, sizeof(rounds[0]), by_longest);
	for (i = 0; i < count; i++) {
		patches += rounds[i].patches;
		most_ns += rounds[i].most_ns;
	}
	printf("%-16s longest gap, median of rounds %9.1f us (%.1f to %.1f), "
	       "p99.99 %7.2f us, %lu patches\n",
	       kind, (double)rounds[count / 2].longest_ns / 1000,
	       (double)rounds[0].longest_ns / 1000,
	       (double)rounds[count - 1].longest_ns / 1000,
	       (double)most_ns / 1000 / (double)count, (unsigned long)patches);
}

int main(int count, char **arguments)
{
	double seconds = count > 1 ? atof(arguments[1]) : 1;
	size_t rounds = count > 2 ? strtoul(arguments[2], NULL, 10) : 5;
	static struct round without[ROUNDS_MAX];
	static struct round with[ROUNDS_MAX];
	uint64_t duration_ns = (uint64_t)(seconds * 1e9);
	bool signals_arrived = false;
	uint64_t handlers;
	size_t i;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	/* The C library has a handler from the first thread on. */
	run_round(false, duration_ns / 10, &signals_arrived);
	handlers = status_mask("SigCgt:");
	for (i = 0; i < rounds; i++) {
		without[i] = run_round(false, duration_ns, &signals_arrived);
		with[i] = run_round(true, duration_ns, &signals_arrived);
	}
	report("without patches", without, rounds);
	report("with patches", with, rounds);
	signals_arrived |= status_mask("SigCgt:") != handlers ||
			   status_mask("ShdPnd:") != 0;
	printf("mixed results: %lu; signals: %s\n", (unsigned long)worker.mixed,
	       signals_arrived ? "some" : "none");
	return worker.mixed || signals_arrived ? EXIT_FAILURE : EXIT_SUCCESS;
}
