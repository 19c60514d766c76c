/* SPDX-License-Identifier: MIT */
/*
 * Handles a signal with its own code, so that it cannot be unmapped.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>
#include <signal.h>

HOTPATCH_BUNDLE("importer-kept", 1);

HOTPATCH_IMPORT_FROM("exporter", int(int), plus_shared);

static void handle(int number)
{
	HOTPATCH_IMPORTED(plus_shared)(number);
}

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	signal(SIGUSR2, handle);
	return what;
}
