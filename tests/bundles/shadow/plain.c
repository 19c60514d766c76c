/* SPDX-License-Identifier: MIT */
/* Counts the uses of each object in shadow data that needs no destructor. */
#include "kinds.h"

#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>

HOTPATCH_BUNDLE("plain", 1);

HOTPATCH_SHADOW(int, uses, 0x5e56)

HOTPATCH_REPLACE(int, use, (struct object * object))
{
	int *count;

	if (uses_get_or_attach(object, NULL, &count, NULL) != HOTPATCH_OK)
		return -1;
	return __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}
