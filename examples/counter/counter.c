/* SPDX-License-Identifier: MIT */
/* The smallest host: a thread counts, and a bundle changes how, and back. */
#include <hotpatch/hotpatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

HOTPATCH_FUNCTION(int, step, (int value))
{
	return value + 1;
}

static void *count(void *arg)
{
	for (int value = 0;;) {
		hotpatch_enter(); /* from here step() has one version */
		value = step(value) % 1000;
		hotpatch_leave(); /* at rest: no patch waits for us */
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	pthread_t thread;

	if (argc != 2 || pthread_create(&thread, NULL, count, NULL) != 0)
		return EXIT_FAILURE;
	printf("before:  step(10) is %d\n", step(10));
	if (hotpatch_patch_open(argv[1], NULL, &patch, &err) ||
	    hotpatch_patch_apply(patch, NULL, &err) ||
	    hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err))
		goto failed;
	printf("patched: step(10) is %d\n", step(10));
	if (hotpatch_patch_revert(patch, NULL, &err) ||
	    hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1, &err))
		goto failed;
	printf("after:   step(10) is %d\n", step(10));
	return EXIT_SUCCESS;
failed:
	fprintf(stderr, "counter: %s\n", err.sentence);
	return EXIT_FAILURE;
}
