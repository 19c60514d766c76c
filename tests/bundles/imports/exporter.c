/* SPDX-License-Identifier: MIT */
/*
 * Exports a function and a variable, which are static.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("exporter", 1);

static int shared = 100;

static int plus_shared(int value)
{
	return value + shared;
}

HOTPATCH_EXPORT(int, shared);
HOTPATCH_EXPORT(int(int), plus_shared);

HOTPATCH_REPLACE(const void *, where, (enum what what))
{
	return what == EXPORTED ? &shared : HOTPATCH_ORIGINAL(where)(what);
}
