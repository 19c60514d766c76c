/* SPDX-License-Identifier: MIT */
/*
 * Rendezvous among pools of workers that are larger than the number of cores,
 * four of each kind: those that take no lock but the shortest, that hold one
 * when they enter, that take one in a section, that wait for one another in
 * sections, and that hold a lock at a safe point. Each run is a process of its
 * own that applies and reverts a bundle which changes the unit of what all
 * share. A run fails if a worker sees a wrong sum, if it does not end, or if a
 * change fails in another way than that the tasks were late.
 *
 * usage: meeting [RUNS [ROUNDS]]
 */
#include "../../lib/atomic.h"

#include <hotpatch/hotpatch.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define KINDS 5
#define WORKERS (4 * KINDS)
#define MEET_MS 20
#define TRIES 20      /* of a revert, whose tasks may be late again and again */
#define GIVE_UP_S 120 /* a run that takes so long is taken for a deadlock */

HOTPATCH_FUNCTION(int, unit, (void))
{
	return 1;
}

/* In units. Every worker adds and takes the same. */
int64_t account;

static pthread_mutex_t account_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t outer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t meeting_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t somebody_came = PTHREAD_COND_INITIALIZER;
static unsigned int came;
static bool closing; /* under the same lock */
static uint32_t stop;
static uint32_t wrong;

static void work(void)
{
	int in;
	int out;

	pthread_mutex_lock(&account_lock);
	in = unit();
	account += in;
	pthread_mutex_unlock(&account_lock);
	sched_yield();
	pthread_mutex_lock(&account_lock);
	out = unit();
	account -= out;
	pthread_mutex_unlock(&account_lock);
	if (in != out)
		hp_add_relaxed(&wrong, 1); /* a counter */
}

/* Waits in its section until another worker is in one, too. */
static void work_in_pairs(void)
{
	unsigned int mine;

	pthread_mutex_lock(&meeting_lock);
	mine = came++;
	pthread_cond_broadcast(&somebody_came);
	while (came == mine + 1 && mine % 2 == 0 && !closing)
		pthread_cond_wait(&somebody_came, &meeting_lock);
	pthread_mutex_unlock(&meeting_lock);
	work();
}

/* May wait at its safe point with the lock that others in sections want. */
static void work_and_pause(void)
{
	pthread_mutex_lock(&outer_lock);
	work();
	hotpatch_safe_point();
	work();
	pthread_mutex_unlock(&outer_lock);
}

static void one_section(int kind)
{
	if (kind == 1)
		pthread_mutex_lock(&outer_lock);
	hotpatch_enter();
	if (kind == 2) {
		pthread_mutex_lock(&outer_lock);
		work();
		pthread_mutex_unlock(&outer_lock);
		hotpatch_safe_point();
	}
	if (kind == 4)
		work_and_pause();
	else if (kind == 3)
		work_in_pairs();
	else
		work();
	hotpatch_leave();
	if (kind == 1)
		pthread_mutex_unlock(&outer_lock);
}

static void *worker_main(void *kind)
{
	while (!hp_load_relaxed(&stop)) /* an early look does no harm */
		one_section((int)(intptr_t)kind);
	return NULL;
}

/* Also lets those go whose partner would not come any more. */
static void stop_workers(void)
{
	hp_store_relaxed(&stop, 1); /* see worker_main() */
	pthread_mutex_lock(&meeting_lock);
	closing = true;
	pthread_cond_broadcast(&somebody_came);
	pthread_mutex_unlock(&meeting_lock);
}

static bool succeeds(enum hotpatch_status status, unsigned int *late,
		     const struct hotpatch_error *err)
{
	if (status == HOTPATCH_OK || status == HOTPATCH_E_ALREADY)
		return true;
	if (status == HOTPATCH_E_RENDEZVOUS) {
		++*late;
		return false;
	}
	fprintf(stderr, "meeting: %s: %s\n", hotpatch_status_name(status),
		err->sentence);
	_exit(1);
}

/* There and back, if the tasks come; how many changes were late. */
static unsigned int one_round(struct hotpatch_patch **patch)
{
	struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.rendezvous_ms = MEET_MS,
	};
	struct hotpatch_error err = {HOTPATCH_OK, 0, "", ""};
	unsigned int late = 0;
	int tries;

	if (!*patch && hotpatch_patch_open(HOTPATCH_TEST_BUNDLES "/milli.so",
					   NULL, patch, &err)) {
		fprintf(stderr, "meeting: %s\n", err.sentence);
		_exit(1);
	}
	if (!succeeds(hotpatch_patch_apply(*patch, &options, &err), &late,
		      &err))
		return late;
	for (tries = 0; tries < TRIES; tries++) {
		if (!succeeds(hotpatch_patch_revert(*patch, &options, &err),
			      &late, &err))
			continue;
		hotpatch_patch_close(*patch);
		*patch = NULL;
		return late;
	}
	return late;
}

/* The status of a run's process: how many of its changes were late, in the
 * low six bits; 64 is for wrong sums. */
static int run(int rounds)
{
	struct hotpatch_patch *patch = NULL;
	pthread_t threads[WORKERS];
	unsigned int late = 0;
	int i;

	alarm(GIVE_UP_S);
	for (i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, worker_main,
				   (void *)(intptr_t)(i % KINDS)) != 0)
			return 1;
	for (i = 0; i < rounds; i++)
		late += one_round(&patch);
	stop_workers();
	for (i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	if (account != 0 || hp_load_relaxed(&wrong)) { /* they have ended */
		fprintf(stderr, "meeting: %u wrong, the account is %lld\n",
			wrong, (long long)account);
		return 1;
	}
	return 64 + (late < 63 ? (int)late : 63);
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 10;
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	unsigned int late = 0;
	unsigned int deadlocks = 0;
	unsigned int failures = 0;
	int status;
	pid_t child;
	int i;

	for (i = 0; i < runs; i++) {
		child = fork();
		if (child < 0)
			return EXIT_FAILURE;
		if (child == 0)
			_exit(run(rounds));
		if (waitpid(child, &status, 0) != child)
			return EXIT_FAILURE;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			deadlocks++;
		else if (!WIFEXITED(status) || WEXITSTATUS(status) < 64)
			failures++;
		else
			late += (unsigned int)WEXITSTATUS(status) - 64;
	}
	printf("meeting: %d runs of %d rounds with %d workers: %u deadlocks, "
	       "%u failures, %u changes were late\n",
	       runs, rounds, WORKERS, deadlocks, failures, late);
	return deadlocks || failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
