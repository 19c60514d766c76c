/* SPDX-License-Identifier: MIT */
/*
 * One bundle in many variations, each with something that is to be found.
 */
#include "shared.h"

#include <hotpatch/bundle.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#ifdef RESTART
HOTPATCH_RESTART("varied", 1);
#else
HOTPATCH_BUNDLE("varied", 1);

#ifndef IMPORT
#define IMPORT int
#endif
#ifndef DUPLICATE
HOTPATCH_IMPORT_STATIC("host.c", volatile IMPORT, hidden);
#define hidden HOTPATCH_IMPORTED(hidden)
#else
static volatile int hidden = 3;
#endif

#ifdef THREAD_LOCAL
__thread volatile int fresh_local;
#endif
#ifdef OWN_STATIC
static volatile int own_count;
static const char *const words[] = {"hidden", "check"};
#endif
#ifdef IMPORT_MISSING
HOTPATCH_IMPORT_STATIC("host.c", int, no_such_static);
#endif
#ifdef UNRESOLVED
int no_such_function(int value);
#endif
#ifdef CONSTRUCTOR
__attribute__((constructor)) static void construct(void)
{
	hidden++;
}
#endif
#ifdef AT_EXIT
static void at_exit(void)
{
}
#endif
#ifdef THREAD
static void *run(void *argument)
{
	return argument;
}
#endif
#ifdef HELPER
__attribute__((noinline)) static int check(int value)
{
	return hidden >= value ? value : -1;
}
#endif
#ifdef LIBM
static volatile double number = 2;
#endif

/* What each variation uses besides. */
static int use(int value)
{
#ifdef THREAD_LOCAL
	value += fresh_local++;
#endif
#ifdef OWN_STATIC
	value += own_count++ + *words[value & 1];
#endif
#ifdef IMPORT_MISSING
	value += HOTPATCH_IMPORTED(no_such_static);
#endif
#ifdef UNRESOLVED
	value += no_such_function(value);
#endif
#ifdef RESOLVED
	value += plain(value) + abs(value);
#endif
#ifdef AT_EXIT
	value += atexit(at_exit);
#endif
#ifdef THREAD
	pthread_t thread;
	value += pthread_create(&thread, NULL, run, NULL);
#endif
#ifdef SIGNAL
	value += sigaction(SIGUSR1, NULL, NULL);
#endif
#ifdef KEY
	pthread_key_t key;
	value += pthread_key_create(&key, NULL);
#endif
#ifdef HELPER
	value += check(value);
#endif
#ifdef LIBM
	value += (int)cos(number);
#endif
	return value;
}

HOTPATCH_REPLACE(RESULT, handle, (struct session * session, PARAMETER count))
{
#ifdef DUPLICATE_LOCAL
	static volatile int calls;

	calls++;
#endif
	return use((int)count) + (int)hidden + (session->inner != NULL);
}

#ifdef REPLACE_SHORTCUT
int shortcut(struct session *session);

HOTPATCH_REPLACE(int, shortcut, (struct session * session))
{
	return (int)handle(session, 8);
}
#endif

#ifdef SCAN
HOTPATCH_REDIRECT_STATIC("host.c", int, scan,
			 (const struct session *session, int count))
{
	return session->count + count;
}
#endif

#ifdef NO_SLOT
HOTPATCH_REPLACE(int, plain, (int value))
{
	return value;
}
#endif

#ifdef NO_FUNCTION
int nowhere(int value);

HOTPATCH_REPLACE(int, nowhere, (int value))
{
	return value;
}
#endif
#endif
