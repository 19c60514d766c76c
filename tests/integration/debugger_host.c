/* SPDX-License-Identifier: MIT */
/*
 * The process that debugger.sh looks into: one thread sleeps in the original
 * body of a function that a bundle replaces, another in the bundle's. With an
 * argument it stays for the debugger, and says when it is ready.
 */
#include <hotpatch/hotpatch.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

static sem_t inside;
static sem_t never;

void debugger_host_sleep(void);

/* Bundles call it, so that both bodies sleep in the same way. */
void debugger_host_sleep(void)
{
	sem_post(&inside);
	while (sem_wait(&never))
		;
}

HOTPATCH_FUNCTION(int, doze, (int value))
{
	debugger_host_sleep();
	return value;
}

HOTPATCH_FUNCTION(int, untouched, (void))
{
	return 0;
}

static void *run(void *unused)
{
	(void)unused;
	doze(1);
	return NULL;
}

static int start_sleeper(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, NULL))
		return 1;
	while (sem_wait(&inside))
		;
	return 0;
}

static int apply(struct hotpatch_error *err)
{
	struct hotpatch_patch *patch;

	return hotpatch_patch_open(HOTPATCH_TEST_BUNDLES "/fix-doze.so", NULL,
				   &patch, err) ||
	       hotpatch_patch_apply(patch, NULL, err) ||
	       hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 20000, err);
}

int main(int argc, char **argv)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};

	(void)argv;
	sem_init(&inside, 0, 0);
	sem_init(&never, 0, 0);
	hotpatch_enter(); /* main is a task, at rest */
	hotpatch_leave();
	if (start_sleeper() || apply(&err) || start_sleeper()) {
		fprintf(stderr, "not ready: %s\n", err.sentence);
		return 1;
	}
	if (argc == 1)
		return 0;
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
