/* SPDX-License-Identifier: MIT */
/*
 * A function that the host prepared.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("prepared", 1);

HOTPATCH_REDIRECT(int, price, (int net))
{
	return net;
}
