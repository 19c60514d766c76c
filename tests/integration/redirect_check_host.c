/* SPDX-License-Identifier: MIT */
/*
 * The process that redirect_check.sh asks whether it would take a bundle: it
 * tells where a function lies that the bundle redirects, and what it gives. With
 * the argument "serve" it obeys words on its standard input; alone it checks
 * that it would.
 */
#include "words.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

static ALONE int hidden(int x)
{
	volatile int copy = x;

	return copy + 1;
}

static int (*volatile call)(int x) = hidden;

/* In a thread that ends, so that nothing of it stays on a stack. */
static void *call_once(void *result)
{
	*(int *)result = call(1);
	return NULL;
}

static int call_elsewhere(void)
{
	pthread_t thread;
	int result = -1;

	if (!pthread_create(&thread, NULL, call_once, &result))
		pthread_join(thread, NULL);
	return result;
}

static void obey(const char *word)
{
	if (!strcmp(word, "call"))
		printf("%d\n", call_elsewhere());
	else if (!strcmp(word, "byte"))
		printf("%u\n", *(const unsigned char *)(uintptr_t)call);
	else
		printf("%ju\n", (uintmax_t)(uintptr_t)call);
	fflush(stdout);
}

static int serve(void)
{
	struct hotpatch_control *control;
	struct hotpatch_error err;
	char word[32];

	/* Who writes to its memory is none of its parents. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (hotpatch_control_start(NULL, &control, &err)) {
		fprintf(stderr, "%s\n", err.sentence);
		return 1;
	}
	obey("call");
	while (read_word(word, sizeof(word)))
		obey(word);
	hotpatch_control_stop(control);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "serve"))
		return serve();
	return call_elsewhere() != 2;
}
