/* SPDX-License-Identifier: MIT */
/*
 * The wrong way: each clerk moves by itself, and the balance is brought to the
 * new unit when all have. Whoever moved before has deposited in the new unit
 * already, and that is multiplied once more.
 */
#include "ledger.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("milli-per-task", 1);

HOTPATCH_COMMIT(context)
{
	(void)context;
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
