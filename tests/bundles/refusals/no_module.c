/* SPDX-License-Identifier: MIT */
/*
 * Replaces a function in a module for which it names no build.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("no-module", 8);

HOTPATCH_REPLACE_IN("libelsewhere.so", int, price, (int net))
{
	return net;
}
