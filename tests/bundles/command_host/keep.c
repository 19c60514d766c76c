/* SPDX-License-Identifier: MIT */
/*
 * A fix that says what data means, and whose code cannot be unmapped: it makes
 * a key whose destructor is its own.
 */
#include <hotpatch/bundle.h>
#include <pthread.h>

int answer(void);

HOTPATCH_BUNDLE("keep-answer", 3);
HOTPATCH_STATE("answer-form", 7);

static void destroy(void *number)
{
	*(int *)number = 0;
}

HOTPATCH_REPLACE(int, answer, (void))
{
	static int number = 44;
	pthread_key_t key;

	if (pthread_key_create(&key, destroy) == 0)
		pthread_setspecific(key, &number);
	return number;
}
