/* SPDX-License-Identifier: MIT */
/* Attaches while it is loaded, which is refused. */
#include "kinds.h"

#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>

HOTPATCH_BUNDLE_WITH("constructor", 1, HOTPATCH_PER_TASK,
		     HOTPATCH_FLAG_CONSTRUCTORS);

HOTPATCH_SHADOW(int, early, 0x5e57)

static enum hotpatch_status status;

__attribute__((constructor)) static void attach_early(void)
{
	status = early_attach(&status, NULL, NULL, NULL);
}

HOTPATCH_REPLACE(int, use, (struct object * object))
{
	(void)object;
	return (int)status;
}
