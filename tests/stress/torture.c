/* SPDX-License-Identifier: MIT */
/*
 * Everything at once, by chance: threads that come and go, work, sleep in and
 * out of sections, nest, handle signals, run fibers, fork or never enter a
 * section, while others apply, stack, turn round, revert and unmap patches,
 * with delays at every step of the protocol (lib/step.h). Each bundle has a
 * version; every reader knows which ones its section may see (oracle.c), and
 * what is gone is unmapped, so that a miss is a crash. torture/without.sh runs
 * it against a library that lacks a part of the protocol, which it must notice.
 *
 * usage: torture [--seconds S] [--seed N] [--patience S] [--focus STEP,...]
 *                [--only KIND,...] [--bundles FOLDER]
 *
 * The seed decides what each thread does; how the threads fall together, it
 * cannot. --patience: how long nothing may happen. --focus: delays threads
 * most at these steps. --only: these readers, several of each; with "quiet"
 * among them, and no changes but those of quiet.c; with "meet", and a changer
 * for whose bundle all tasks meet.
 */
#include "torture/torture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

HOTPATCH_FUNCTION(int, first_answer, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(int, second_answer, (int hurry))
{
	if (!hurry)
		linger();
	return 0;
}

HOTPATCH_FUNCTION(int, third_answer, (int depth))
{
	return depth ? third_answer(depth - 1) : 0;
}

static uint32_t stop;
static uint32_t changes;

bool is_over(void)
{
	return hp_load_relaxed(&stop); /* a flag for itself */
}

void count_change(void)
{
	hp_add_relaxed(&changes, 1); /* only the number counts */
}

_Noreturn void fail(const char *what, int a, int b)
{
	fprintf(stderr, "%s (%d, %d); seed %lu\n", what, a, b, options.seed);
	_exit(EXIT_FAILURE);
}

void must(enum hotpatch_status status, const struct hotpatch_error *err)
{
	if (status == HOTPATCH_OK)
		return;
	fprintf(stderr, "%s: %s; seed %lu\n", hotpatch_status_name(status),
		err->sentence, options.seed);
	_exit(EXIT_FAILURE);
}

struct kind {
	const char *name;
	void *(*run)(void *);
	unsigned int count;
	unsigned int chosen; /* how many, where it is named */
};

static const struct kind readers[] = {
	{"work", work, 1, 3},
	{"slow", work_always_slow, 1, 3},
	{"short", work_shortly, 1, 3},
	{"storm", work_in_a_storm, 2, 3},
	{"visitor", come_and_go, 2, 3},
	{"stranger", call_as_stranger, 1, 3},
	{"fiber", run_fibers, 2, 3},
	{"fork", fork_children, 1, 3},
	{"buffered", work_buffered, 1, 1}, /* there is one buffer */
	{"doze", doze, 0, 1},
};

#define KINDS (sizeof(readers) / sizeof(readers[0]))
#define MOST_THREADS 32

static pthread_t threads[MOST_THREADS];
static size_t thread_count;

static void begin(void *(*run)(void *), size_t number)
{
	if (thread_count == MOST_THREADS ||
	    pthread_create(&threads[thread_count++], NULL, run,
			   (void *)(uintptr_t)number) != 0)
		fail("no thread could be made", 0, 0);
}

/* @only is a list of names. */
static unsigned int count_of(const struct kind *kind)
{
	if (!options.only)
		return kind->count;
	return strstr(options.only, kind->name) ? kind->chosen : 0;
}

static void begin_all(void)
{
	size_t number = 0;
	unsigned int left;
	size_t i;

	for (i = 0; i < KINDS; i++)
		for (left = count_of(&readers[i]); left > 0; left--)
			number++;
	quiet_expect((unsigned int)number);
	number = 0;
	for (i = 0; i < KINDS; i++)
		for (left = count_of(&readers[i]); left > 0; left--)
			begin(readers[i].run, number++);
	if (!options.only || strstr(options.only, "quiet"))
		begin(keep_quiet, CHANGERS * 11);
	if (!options.only)
		begin(change_with_callbacks, CHANGERS * 12);
	else if (strstr(options.only, "meet"))
		begin(change_by_meeting, CHANGERS * 12);
	/* Where it is to be quiet alone there is no one else. */
	for (i = 0; i < CHANGERS; i++)
		if (!options.only || !strstr(options.only, "quiet"))
			begin(change, CHANGERS * 10 + i);
}

/* Complains about a waiter that should have been woken, and of a standstill. */
static void *watch(void *argument)
{
	uint64_t patience = (uint64_t)(options.patience_s * 1e9);
	uint64_t moved = now_ns();
	uint64_t since;
	uint32_t seen = 0;

	for (;;) {
		poll(NULL, 0, 20);
		since = quiet_waits_since();
		if (since && now_ns() > since + patience)
			fail("lost wake-up: a waiter sleeps on", 0, 0);
		/* Relaxed: only the number counts. */
		if (hp_load_relaxed(&changes) != seen) {
			seen = hp_load_relaxed(&changes);
			moved = now_ns();
		}
		if (now_ns() > moved + 2 * patience)
			fail("hang: nothing changes any more", 0, 0);
	}
	return argument;
}

static void run(void)
{
	pthread_t watcher;
	size_t i;

	crew_begin_change();
	begin_all();
	if (pthread_create(&watcher, NULL, watch, NULL) != 0)
		fail("no thread could be made", 0, 0);
	crew_end_change();
	poll(NULL, 0, (int)(options.seconds * 1000));
	crew_begin_change();
	hp_store_relaxed(&stop, 1); /* as above */
	for (i = 0; i < thread_count; i++)
		pthread_join(threads[i], NULL);
	crew_end_change();
	pthread_detach(watcher); /* until the process ends */
}

/* A jump to what was unmapped; the sanitizers have better reports. */
static void crash(int number, siginfo_t *info, void *context)
{
	(void)context;
	dprintf(STDERR_FILENO, "crash: signal %d at %p; seed %lu\n", number,
		info->si_addr, options.seed);
	_exit(EXIT_FAILURE);
}

static void catch_crashes(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = crash;
	action.sa_flags = SA_SIGINFO;
	if (HAS_CRASHES) {
		sigaction(SIGSEGV, &action, NULL);
		sigaction(SIGBUS, &action, NULL);
		sigaction(SIGILL, &action, NULL);
	}
}

static void focus_on(char *list)
{
	static const char *const names[] = {
#define NAME(step) #step,
		HP_PART_MAP(NAME) HP_STEP_MAP(NAME)
#undef NAME
	};
	char *rest = NULL;
	const char *name;
	uint32_t i;

	for (name = strtok_r(list, ",", &rest); name;
	     name = strtok_r(NULL, ",", &rest)) {
		for (i = 0; i < HP_STEPS && strcmp(names[i], name) != 0; i++)
			continue;
		if (i == HP_STEPS) {
			fprintf(stderr, "torture: no step is called %s\n",
				name);
			exit(2);
		}
		options.focus[i] = true;
	}
}

static void read_option(const char *name, char *value)
{
	if (strcmp(name, "--seconds") == 0)
		options.seconds = atof(value);
	else if (strcmp(name, "--seed") == 0)
		options.seed = strtoul(value, NULL, 10);
	else if (strcmp(name, "--patience") == 0)
		options.patience_s = atof(value);
	else if (strcmp(name, "--focus") == 0)
		focus_on(value);
	else if (strcmp(name, "--only") == 0)
		options.only = value;
	else if (strcmp(name, "--bundles") == 0)
		options.bundles = value;
	else {
		fprintf(stderr, "torture: unknown option %s\n", name);
		exit(2);
	}
}

int main(int count, char **arguments)
{
	int i;

	options.bundles = HOTPATCH_TEST_BUNDLES;
	options.seed = (unsigned long)time(NULL) ^ (unsigned long)getpid()
							   << 16;
	for (i = 1; i + 1 < count; i += 2)
		read_option(arguments[i], arguments[i + 1]);
	printf("torture: --seed %lu --seconds %.0f\n", options.seed,
	       options.seconds);
	fflush(stdout);
	chance_start(MOST_THREADS);
	catch_storms();
	catch_crashes();
	run();
	printf("torture: %u changes\n", changes);
	if (first_answer() != 0)
		fail("a version is left", first_answer(), 0);
	return changes ? EXIT_SUCCESS : EXIT_FAILURE;
}
