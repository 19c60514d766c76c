/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of several kinds and two states.
 */
#include <hotpatch/bundle.h>

#include "files_host.h"

HOTPATCH_BUNDLE_WITH("calls", 9, HOTPATCH_RENDEZVOUS, 0);
HOTPATCH_TARGET("server", "0123456789abcdef0123456789abcdef01234567");
HOTPATCH_TARGET("libtable.so.1", "fedcba9876543210");
HOTPATCH_STATE("layout", 3);
HOTPATCH_STATE("queue", 1);

HOTPATCH_PREPARE(context)
{
	(void)context;
}

HOTPATCH_COMMIT_IN("libtable.so.1", context)
{
	(void)context;
}

HOTPATCH_MIGRATE(context)
{
	(void)context;
}

HOTPATCH_CLEAN_UP("queue", context)
{
	(void)context;
}

HOTPATCH_REPLACE(int, handle_one,
		 (struct request * request, const char path[4]))
{
	return HOTPATCH_ORIGINAL(handle_one)(request, path);
}
