/* SPDX-License-Identifier: MIT */
/*
 * Its function registers what C++ registers for a thread-local object.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("destructor", 6);

extern int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object,
				    void *module);
extern void *__dso_handle __attribute__((visibility("hidden")));

static void destroy(void *object)
{
	*(int *)object = 1;
}

HOTPATCH_REPLACE(void, leave_something, (int *destroyed))
{
	__cxa_thread_atexit_impl(destroy, destroyed, &__dso_handle);
}
