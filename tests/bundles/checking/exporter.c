/* SPDX-License-Identifier: MIT */
/*
 * Installs a state, and exports a function.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("exporter", 1);
HOTPATCH_STATE("prices", 2);

static int half(int value)
{
	return value / 2;
}

HOTPATCH_EXPORT(int(int), half);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}
