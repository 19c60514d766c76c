/* SPDX-License-Identifier: MIT */
/*
 * The right way: the clerks wait for one another between two customers, and
 * the balance is brought to the new unit while nobody deposits.
 */
#include "ledger.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("milli", 1, HOTPATCH_RENDEZVOUS, 0);

HOTPATCH_MIGRATE(context)
{
	if (context->reverting)
		balance /= 1000;
	else
		balance *= 1000;
}

HOTPATCH_REPLACE(void, deposit, (long cents))
{
	balance += cents * 1000;
}

HOTPATCH_REPLACE(long, balance_in_cents, (void))
{
	return balance / 1000;
}
