/* SPDX-License-Identifier: MIT */
/*
 * With all callbacks, so that their places among the phases are seen.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("ready", 5);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 50;
}

HOTPATCH_PREPARE(context)
{
	(void)context;
}

HOTPATCH_COMMIT(context)
{
	(void)context;
}

HOTPATCH_BEFORE_REVERT(context)
{
	(void)context;
}

HOTPATCH_AFTER_REVERT(context)
{
	(void)context;
}
