/* SPDX-License-Identifier: MIT */
/* Counts the uses of each object, in shadow data with a destructor. */
#include "kinds.h"

#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>

#ifndef BUNDLE_NAME
#define BUNDLE_NAME "one"
#define DESTROYED destroyed_by_one
#endif

HOTPATCH_BUNDLE(BUNDLE_NAME, 1);

static bool make_extra(void *data, void *object, void *argument)
{
	struct extra *extra = data;

	(void)argument;
	extra->owner = object;
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	return true;
}

static void destroy_extra(void *data, const void *object)
{
	struct extra *extra = data;

	if (extra->owner == object)
		__atomic_fetch_add(&DESTROYED, 1, __ATOMIC_RELAXED);
}

HOTPATCH_SHADOW_WITH(struct extra, extra, 0x5e55, make_extra, destroy_extra,
		     NULL)

HOTPATCH_REPLACE(int, use, (struct object * object))
{
	struct extra *extra;

	if (extra_get_or_attach(object, NULL, &extra, NULL) != HOTPATCH_OK)
		return -1;
	return __atomic_add_fetch(&extra->uses, 1, __ATOMIC_RELAXED);
}

HOTPATCH_REPLACE(void, forget, (struct object * object))
{
	extra_detach(object);
}

HOTPATCH_REPLACE(unsigned int, forget_all, (void))
{
	return (unsigned int)extra_detach_all();
}

HOTPATCH_REPLACE(void, with,
		 (struct object * object, void (*work)(struct extra *extra)))
{
	work(extra_get(object));
}
