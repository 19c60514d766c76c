/* SPDX-License-Identifier: MIT */
/*
 * What a call costs: in a section and out of it, before, during and after a
 * transition, in the program and in a shared library.
 *
 * usage: calls COUNT BUNDLE		prints a sample of each
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

int main(int argc, char **argv)
{
	size_t place;

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
