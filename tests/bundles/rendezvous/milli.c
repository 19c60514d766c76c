/* SPDX-License-Identifier: MIT */
/*
 * Another unit for what all threads share, and the host asked meanwhile.
 */
#include <hotpatch/bundle.h>

extern long total;
extern void ask_host(bool reverting);

HOTPATCH_BUNDLE_WITH("milli", 1, HOTPATCH_RENDEZVOUS, 0);

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

HOTPATCH_MIGRATE(context)
{
	if (context->reverting)
		total /= 1000;
	else
		total *= 1000;
	ask_host(context->reverting);
}

HOTPATCH_REPLACE(int, unit, (void))
{
	return 1000;
}

HOTPATCH_REPLACE(long, read_total, (void))
{
	return total / 1000;
}
