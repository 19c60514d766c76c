/* SPDX-License-Identifier: MIT */
/*
 * What a call costs: in a section and out of it, before, during and after a
 * transition, in the program and in a shared library.
 *
 * usage: calls COUNT BUNDLE		prints a sample of each
 *        calls threads COUNT THREADS	while others do the same
 *        calls WHERE LOOP COUNT	runs one loop, for counting instructions
 */
#include "calls.h"
#include "sample.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	const char *table;
	bool (*run)(const char *what, unsigned long count);
} places[] = {
	{"program", "calls in the program", program_run},
	{"library", "calls in a shared library", library_run},
};

static const char *const loops[] = {"empty",   "direct", "PLT",
				    "pointer", "entry",	 "HOTPATCH_CALL"};

static unsigned long count;

static void must(enum hotpatch_status status, const struct hotpatch_error *err)
{
	if (status == HOTPATCH_OK)
		return;
	fprintf(stderr, "calls: %s: %s\n", hotpatch_status_name(status),
		err->sentence);
	exit(1);
}

static void measure(const char *column)
{
	uint64_t start_ns;
	size_t place;
	size_t i;

	for (i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		for (place = 0; place < 2; place++) {
			places[place].run(loops[i], count / 10 + 1);
			start_ns = now_ns();
			places[place].run(loops[i], count);
			sample(places[place].table, loops[i], column,
			       (double)(now_ns() - start_ns) / (double)count);
		}
}

static void measure_both(const char *outside, const char *inside)
{
	measure(outside);
	hotpatch_enter();
	measure(inside);
	hotpatch_leave();
}

/* A thread that has the old view until it is told to leave. */
static sem_t holds;
static sem_t may_go_on;

static void *hold(void *unused)
{
	hotpatch_enter();
	sem_post(&holds);
	sem_wait(&may_go_on);
	measure("during, old view");
	sem_post(&holds);
	sem_wait(&may_go_on);
	hotpatch_leave();
	return unused;
}

static void measure_all(const char *bundle)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	pthread_t holder;

	measure_both("before", "before, in a section");
	must(hotpatch_patch_open(bundle, NULL, &patch, &err), &err);
	if (pthread_create(&holder, NULL, hold, NULL) != 0)
		exit(1);
	sem_wait(&holds);
	must(hotpatch_patch_apply(patch, NULL, &err), &err);
	sem_post(&may_go_on);
	sem_wait(&holds);
	measure_both("during", "during, new view");
	sem_post(&may_go_on);
	pthread_join(holder, NULL);
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	measure_both("after", "after, in a section");
	must(hotpatch_patch_revert(patch, NULL, &err), &err);
	must(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1, &err), &err);
	hotpatch_patch_close(patch);
}

/* ---- With other threads ---- */

#define THREADS_MAX 1024

static uint32_t stop;

static void *accompany(void *loop)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		program_run(loop, 10000);
	return NULL;
}

static void measure_among(const char *loop, const char *column,
			  unsigned long others)
{
	static pthread_t threads[THREADS_MAX];
	unsigned long i;
	uint64_t start_ns;

	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	for (i = 0; i < others; i++)
		if (pthread_create(&threads[i], NULL, accompany,
				   (void *)loop) != 0)
			exit(1);
	program_run(loop, count / 10 + 1);
	start_ns = now_ns();
	program_run(loop, count);
	sample("calls in the program, by threads", loop, column,
	       (double)(now_ns() - start_ns) / (double)count);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	while (i > 0)
		pthread_join(threads[--i], NULL);
}

static int measure_by_threads(const char *column)
{
	unsigned long threads = strtoul(column, NULL, 10);
	size_t i;

	if (threads == 0 || threads > THREADS_MAX)
		return 2;
	for (i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		measure_among(loops[i], column, threads - 1);
	return 0;
}

int main(int argc, char **argv)
{
	size_t place;

	if (argc == 4 && strcmp(argv[1], "threads") == 0) {
		count = strtoul(argv[2], NULL, 10);
		return measure_by_threads(argv[3]);
	}
	if (argc == 4) {
		place = strcmp(argv[1], "library") == 0;
		return !places[place].run(argv[2], strtoul(argv[3], NULL, 10));
	}
	if (argc != 3)
		return 2;
	count = strtoul(argv[1], NULL, 10);
	sem_init(&holds, 0, 0);
	sem_init(&may_go_on, 0, 0);
	measure_all(argv[2]);
	return 0;
}
