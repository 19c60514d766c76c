/* SPDX-License-Identifier: MIT */
/*
 * The loops.
 */
#include "calls_callee.h"
#include "sample.h"

#include <string.h>

bool HERE(run)(const char *what, unsigned long count)
{
	if (strcmp(what, "direct") == 0)
		LOOP(count, HERE(direct)((int)i));
	else if (strcmp(what, "PLT") == 0)
		LOOP(count, library_exported((int)i));
	else if (strcmp(what, "pointer") == 0)
		/* Relaxed: as HOTPATCH_CALL(), which it is compared with. */
		LOOP(count,
		     __atomic_load_n(&HERE(pointer), __ATOMIC_RELAXED)((int)i));
	else if (strcmp(what, "entry") == 0)
		LOOP(count, HERE(patchable)((int)i));
	else if (strcmp(what, "HOTPATCH_CALL") == 0)
		LOOP(count, CALL(HERE(patchable))((int)i));
	else if (strcmp(what, "empty") == 0)
		LOOP(count, (void)0);
	else
		return false;
	return true;
}
