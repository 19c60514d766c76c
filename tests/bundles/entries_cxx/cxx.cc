/* SPDX-License-Identifier: MIT */
/*
 * A bundle in C++: throws where the host throws, with other words.
 */
#include <hotpatch/bundle.h>

#include "../../integration/entries_cxx/entries_cxx.h"

#include <stdexcept>

HOTPATCH_BUNDLE("cxx", 1);

HOTPATCH_REPLACE(int, checked, (const struct order *order))
{
	if (order->amount < 0)
		throw std::range_error("patched");
	return order->amount + 100;
}

HOTPATCH_REPLACE(int, relay, (int (*callback)(int), int value))
{
	return callback(value) + 100;
}
