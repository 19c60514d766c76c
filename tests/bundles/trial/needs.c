/* SPDX-License-Identifier: MIT */
/*
 * Goes when what it requires goes.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("needs", 3);
HOTPATCH_REQUIRES("fix");

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 30;
}
