/* SPDX-License-Identifier: MIT */
/*
 * Replaces one function that the host has and one that it lacks.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("missing", 2);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 200;
}

HOTPATCH_REPLACE(int, price_of_nothing, (int net))
{
	return net;
}
