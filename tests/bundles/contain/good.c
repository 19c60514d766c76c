/* SPDX-License-Identifier: MIT */
/*
 * Lies beneath the patch that faults.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("good", 2);

HOTPATCH_REPLACE(int, price, (int net, double rate))
{
	return net + (int)rate + 500;
}
