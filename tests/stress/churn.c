/* SPDX-License-Identifier: MIT */
/*
 * Everything at once, by chance: threads that come and go, work, sleep in and
 * out of sections, nest, handle signals, run fibers or never enter a section,
 * while two others apply, stack, turn round and revert patches and have them
 * unmapped. All functions must agree within a section, and no answer may come
 * from a bundle that is not loaded.
 *
 * usage: churn [SECONDS [SEED]]
 */
#include "../../lib/atomic.h"

#include <hotpatch/hotpatch.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define BUNDLES 4
#define CHANGERS 2
#define PATIENCE_MS 30000
#define STORM_PERIOD_NS 200000
#define FIBERS 3
#define FIBER_STACK ((size_t)256 << 10)

#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

HOTPATCH_FUNCTION(int, first_version, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(int, second_version, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(int, third_version, (int depth))
{
	return depth ? third_version(depth - 1) : 0;
}

static uint32_t stop;
static uint32_t loaded[BUNDLES + 1]; /* by version; 0 is the program's own */
static uint64_t sections;
static uint64_t changes;
static uint64_t turns;
static uint64_t unmapped;
static uint64_t handled;
static unsigned long seed;

/* Fails the whole run with what was seen. */
static void expect(bool holds, const char *what, int a, int b)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %d and %d; seed %lu\n", what, a, b, seed);
	abort();
}

/* A small generator of its own for each thread. */
static uint32_t roll(uint64_t *state, uint32_t sides)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % sides;
}

static bool is_over(void)
{
	return hp_load_relaxed(&stop); /* a flag for itself */
}

/* Inside a section: one version, and its bundle cannot be unmapped. */
static int look(void)
{
	int version = first_version();
	int other = second_version();

	expect(version == other, "two versions in a section", version, other);
	other = third_version(2);
	expect(version == other, "two versions in a section", version, other);
	expect(version >= 0 && version <= BUNDLES, "no version", version, 0);
	/* Relaxed: stored before the bundle's code could run. */
	expect(hp_load_relaxed(&loaded[version]), "version not loaded", version,
	       0);
	return version;
}

static void nap(uint64_t *state)
{
	const struct timespec time = {0, 1000 + (long)roll(state, 300000)};

	nanosleep(&time, NULL);
}

static void nested(uint64_t *state, unsigned int depth)
{
	int version;

	hotpatch_enter();
	hotpatch_safe_point();
	version = look();
	if (depth)
		nested(state, depth - 1);
	expect(look() == version, "a view moved in a section", version, 0);
	hotpatch_leave();
}

static void sleep_in_section(uint64_t *state)
{
	int version;

	hotpatch_enter();
	version = look();
	nap(state);
	expect(look() == version, "a view moved in a sleep", version, 0);
	hotpatch_leave();
}

static void pass_safe_points(uint64_t *state)
{
	uint32_t count = 1 + roll(state, 1000);

	hotpatch_enter();
	while (count-- > 0) {
		hotpatch_safe_point();
		look();
	}
	hotpatch_leave();
}

static void one_piece_of_work(uint64_t *state)
{
	hp_add_relaxed(&sections, 1); /* only the number counts */
	switch (roll(state, 8)) {
	case 0:
		sleep_in_section(state);
		break;
	case 1:
		nap(state);
		break;
	case 2:
	case 3:
		nested(state, roll(state, 4));
		break;
	default:
		pass_safe_points(state);
		break;
	}
}

static void *work(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;

	while (!is_over())
		one_piece_of_work(&state);
	return NULL;
}

/* Ends soon, now and then in the middle of a section. */
static void *work_briefly(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;
	uint32_t count = roll(&state, 20);

	while (count-- > 0)
		one_piece_of_work(&state);
	if (roll(&state, 2))
		hotpatch_enter();
	return NULL;
}

static void *come_and_go(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;
	pthread_t thread;

	while (!is_over()) {
		if (pthread_create(&thread, NULL, work_briefly,
				   (void *)(uintptr_t)(roll(&state, 1 << 30))))
			abort();
		pthread_join(thread, NULL);
	}
	return NULL;
}

/* Never in a section, so each call may see another version. */
static void *call_unregistered(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;
	int version;

	while (!is_over()) {
		version = roll(&state, 2) ? first_version() : third_version(3);
		expect(version >= 0 && version <= BUNDLES, "no version",
		       version, 0);
		/* Long enough to be caught asleep. */
		poll(NULL, 0, 1 + (int)roll(&state, 20));
	}
	return NULL;
}

static void handle(int number)
{
	int saved = errno;

	(void)number;
	hotpatch_enter();
	look();
	hotpatch_safe_point();
	look();
	hotpatch_leave();
	hp_add_relaxed(&handled, 1); /* only the number counts */
	errno = saved;
}

static void *work_in_a_storm(void *argument)
{
	const struct itimerspec period = {{0, STORM_PERIOD_NS},
					  {0, STORM_PERIOD_NS}};
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event._sigev_un._tid = (int)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &period, NULL) != 0)
		abort();
	work(argument);
	timer_delete(timer);
	return NULL;
}

/* ---- Fibers ---- */

/* The thread sanitizer does not follow contexts that are switched. */
#ifndef UNDER_TSAN

struct fiber {
	struct hotpatch_task *task;
	ucontext_t context;
};

static struct fiber fibers[FIBERS];
static ucontext_t scheduler;
static struct fiber *current;

static void run_fiber(void)
{
	struct fiber *self = current;
	int version;

	for (;;) {
		hotpatch_enter();
		version = look();
		swapcontext(&self->context, &scheduler);
		expect(look() == version, "a view moved in a fiber", version,
		       0);
		hotpatch_safe_point();
		look();
		hotpatch_leave();
		swapcontext(&self->context, &scheduler);
	}
}

static void make_fiber(struct fiber *fiber)
{
	struct hotpatch_task_options options = {
		.size = sizeof(options),
		.name = "fiber",
		.stack_size = FIBER_STACK,
	};
	void *stack = mmap(NULL, FIBER_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	options.stack = stack;
	fiber->task = hotpatch_task_create(&options);
	if (stack == MAP_FAILED || !fiber->task)
		abort();
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = stack;
	fiber->context.uc_stack.ss_size = FIBER_STACK;
	makecontext(&fiber->context, run_fiber, 0);
}

static void *schedule(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;
	size_t i;

	for (i = 0; i < FIBERS; i++)
		make_fiber(&fibers[i]);
	while (!is_over()) {
		current = &fibers[roll(&state, FIBERS)];
		hotpatch_task_switch(current->task);
		swapcontext(&scheduler, &current->context);
		hotpatch_task_switch(NULL);
		if (roll(&state, 8) == 0)
			nap(&state);
	}
	for (i = 0; i < FIBERS; i++)
		hotpatch_task_destroy(fibers[i].task);
	return NULL;
}

#endif

/* ---- Changes ---- */

struct changer {
	uint64_t state;
	int first; /* version of the first of its bundles */
};

static void must(enum hotpatch_status status, const struct hotpatch_error *err)
{
	if (status == HOTPATCH_OK)
		return;
	fprintf(stderr, "%s: %s; seed %lu\n", hotpatch_status_name(status),
		err->sentence, seed);
	abort();
}

static const struct hotpatch_apply_options patient = {
	.size = sizeof(patient),
	.turn_ms = PATIENCE_MS,
};

static struct hotpatch_patch *open_version(int version)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	char path[512];

	snprintf(path, sizeof(path), "%s/%c.so", HOTPATCH_TEST_BUNDLES,
		 'a' + version - 1);
	hp_store_relaxed(&loaded[version], 1); /* see look() */
	must(hotpatch_patch_open(path, NULL, &patch, &err), &err);
	return patch;
}

/* Applies; sometimes thinks better of it, once or twice. Gives back whether
 * the patch is on in the end. */
static bool apply(struct changer *changer, struct hotpatch_patch *patch)
{
	uint32_t left = roll(&changer->state, 3);
	struct hotpatch_error err;
	bool on = true;

	must(hotpatch_patch_apply(patch, &patient, &err), &err);
	while (left-- > 0) {
		enum hotpatch_status status =
			on ? hotpatch_patch_revert(patch, &patient, &err) :
			     hotpatch_patch_apply(patch, &patient, &err);

		/* The way back may be through already. */
		if (!on && status == HOTPATCH_E_STATE)
			break;
		must(status, &err);
		on = !on;
		hp_add_relaxed(&turns, 1); /* only the number counts */
	}
	return on;
}

static void wait_for(struct hotpatch_patch *patch, enum hotpatch_goal goal)
{
	struct hotpatch_error err;
	enum hotpatch_status status;

	/* A thread that was busy for long may have it called retained; it is
	 * tried again. */
	do
		status = hotpatch_patch_wait(patch, goal, PATIENCE_MS, &err);
	while (status == HOTPATCH_E_RETAINED && poll(NULL, 0, 10) == 0);
	must(status, &err);
}

static void remove_version(struct hotpatch_patch *patch, int version, bool on)
{
	struct hotpatch_error err;

	if (on)
		must(hotpatch_patch_revert(patch, &patient, &err), &err);
	wait_for(patch, HOTPATCH_UNMAPPED);
	hp_store_relaxed(&loaded[version], 0); /* see look() */
	hotpatch_patch_close(patch);
	hp_add_relaxed(&unmapped, 1); /* only the number counts */
}

/* One patch, or two that lie on each other, removed in any order. */
static void *change(void *argument)
{
	struct changer *changer = argument;
	struct hotpatch_patch *patches[2];
	bool on[2];
	int count;
	int i;

	/* A task at rest, which the other one need not catch asleep. */
	hotpatch_enter();
	hotpatch_leave();
	while (!is_over()) {
		count = 1 + (int)roll(&changer->state, 2);
		for (i = 0; i < count; i++) {
			patches[i] = open_version(changer->first + i);
			on[i] = apply(changer, patches[i]);
			if (roll(&changer->state, 2))
				wait_for(patches[i], HOTPATCH_DRAINED);
			hp_add_relaxed(&changes, 1); /* likewise */
		}
		if (count == 2 && roll(&changer->state, 2)) {
			remove_version(patches[0], changer->first, on[0]);
			remove_version(patches[1], changer->first + 1, on[1]);
			continue;
		}
		while (i-- > 0)
			remove_version(patches[i], changer->first + i, on[i]);
	}
	return NULL;
}

/* ---- The run ---- */

static void *(*const kinds[])(void *) = {
	work,
	work,
	come_and_go,
	come_and_go,
	call_unregistered,
	work_in_a_storm,
#ifndef UNDER_TSAN
	schedule,
#endif
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void catch_storms(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handle;
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
}

static void run(double seconds)
{
	static struct changer changers[CHANGERS];
	pthread_t threads[KINDS + CHANGERS];
	uint64_t state = seed;
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (pthread_create(&threads[i], NULL, kinds[i],
				   (void *)(uintptr_t)roll(&state, 1 << 30)))
			abort();
	for (i = 0; i < CHANGERS; i++) {
		changers[i].state = roll(&state, 1 << 30);
		changers[i].first = 1 + (int)i * (BUNDLES / CHANGERS);
		if (pthread_create(&threads[KINDS + i], NULL, change,
				   &changers[i]))
			abort();
	}
	poll(NULL, 0, (int)(seconds * 1000));
	hp_store_relaxed(&stop, 1); /* as above */
	for (i = 0; i < KINDS + CHANGERS; i++)
		pthread_join(threads[i], NULL);
}

int main(int count, char **arguments)
{
	double seconds = count > 1 ? atof(arguments[1]) : 10;

	seed = count > 2 ? strtoul(arguments[2], NULL, 10) :
			   (unsigned long)time(NULL) ^
				   ((unsigned long)getpid() << 16);
	printf("seed %lu\n", seed);
	fflush(stdout);
	loaded[0] = 1;
	catch_storms();
	run(seconds);
	printf("%lu patches applied, %lu turns, %lu unmapped, %lu pieces of "
	       "work, %lu signals handled\n",
	       (unsigned long)changes, (unsigned long)turns,
	       (unsigned long)unmapped, (unsigned long)sections,
	       (unsigned long)handled);
	if (first_version() != 0 || changes == 0 || changes != unmapped)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
