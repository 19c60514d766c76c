/* SPDX-License-Identifier: MIT */
/*
 * Its function starts a thread that runs the bundle's code.
 */
#include <hotpatch/bundle.h>

#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

HOTPATCH_BUNDLE("thread", 5);

static void *wait_in_the_bundle(void *fd)
{
	char byte;

	while (read((int)(intptr_t)fd, &byte, 1) < 0)
		;
	return (void *)1;
}

HOTPATCH_REPLACE(int, start_thread, (pthread_t * thread, int fd))
{
	return pthread_create(thread, NULL, wait_in_the_bundle,
			      (void *)(intptr_t)fd);
}
