/* SPDX-License-Identifier: MIT */
/* Means something else by the id of the first bundle. */
#include "kinds.h"

#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>

HOTPATCH_BUNDLE("wider", 1);

struct wider {
	struct extra extra;
	long more;
};

HOTPATCH_SHADOW(struct wider, wider, 0x5e55)

HOTPATCH_REPLACE(int, use, (struct object * object))
{
	struct wider *wider;

	if (wider_get(object))
		return 1000;
	return (int)wider_get_or_attach(object, NULL, &wider, NULL);
}
