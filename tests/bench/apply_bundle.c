/* SPDX-License-Identifier: MIT */
/*
 * Replaces as many functions as MANY makes of ONE.
 */
#include "apply_functions.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("functions", 1);

#define ONE(n)                                                                 \
	HOTPATCH_REPLACE(int, function_##n, (void))                            \
	{                                                                      \
		return 1;                                                      \
	}

MANY
