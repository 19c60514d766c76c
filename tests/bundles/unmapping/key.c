/* SPDX-License-Identifier: MIT */
/*
 * Its function makes a key whose destructor is the bundle's own.
 */
#include <hotpatch/bundle.h>

#include <pthread.h>

HOTPATCH_BUNDLE("key", 9);

static void destroy(void *destroyed)
{
	*(int *)destroyed = 1;
}

HOTPATCH_REPLACE(void, leave_something, (int *destroyed))
{
	pthread_key_t key;

	if (pthread_key_create(&key, destroy) == 0)
		pthread_setspecific(key, destroyed);
}
