/* SPDX-License-Identifier: MIT */
/*
 * A bundle in C for a host in C++: an exception of the host passes through it.
 */
#include <hotpatch/bundle.h>

#include "../../integration/entries_cxx/entries_cxx.h"

HOTPATCH_BUNDLE("c", 2);

HOTPATCH_REPLACE(int, relay, (int (*callback)(int), int value))
{
	return callback(value) + 200;
}
