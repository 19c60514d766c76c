/* SPDX-License-Identifier: MIT */
/*
 * A function that the host prepared and one that it did not, which undo each
 * other if they are seen in one version.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("mixed-sealed", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}

HOTPATCH_REDIRECT(int, net_of, (int gross))
{
	return gross - 100;
}
