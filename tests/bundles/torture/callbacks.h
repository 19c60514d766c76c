/* SPDX-License-Identifier: MIT */
/*
 * All callbacks of a bundle, which the host is told of. Prepare refuses if the
 * host does not let it pass.
 */
#include <stdbool.h>

extern bool callback_passes(int version, int kind);

HOTPATCH_PREPARE(context)
{
	if (!callback_passes(VERSION, HOTPATCH_CALLBACK_PREPARE))
		hotpatch_refuse(context, "the torture says no");
}

HOTPATCH_COMMIT(context)
{
	(void)context;
	callback_passes(VERSION, HOTPATCH_CALLBACK_COMMIT);
}

HOTPATCH_BEFORE_REVERT(context)
{
	(void)context;
	callback_passes(VERSION, HOTPATCH_CALLBACK_BEFORE_REVERT);
}

HOTPATCH_AFTER_REVERT(context)
{
	(void)context;
	callback_passes(VERSION, HOTPATCH_CALLBACK_AFTER_REVERT);
}
