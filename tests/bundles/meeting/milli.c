/* SPDX-License-Identifier: MIT */
/*
 * Another unit for what all threads share.
 */
#include <hotpatch/bundle.h>

extern int64_t account;

HOTPATCH_BUNDLE_WITH("milli", 1, HOTPATCH_RENDEZVOUS, 0);

HOTPATCH_MIGRATE(context)
{
	if (context->reverting)
		account /= 1000;
	else
		account *= 1000;
}

HOTPATCH_REPLACE(int, unit, (void))
{
	return 1000;
}
