/* SPDX-License-Identifier: MIT */
/*
 * Functions that can be patched, as many as MANY makes of ONE.
 */
#include "apply_functions.h"

#include <hotpatch/hotpatch.h>

#define ONE(n)                                                                 \
	HOTPATCH_FUNCTION(int, function_##n, (void))                           \
	{                                                                      \
		return 0;                                                      \
	}

MANY
