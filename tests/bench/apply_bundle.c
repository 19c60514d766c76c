/* SPDX-License-Identifier: MIT */
/*
 * Replaces as many functions as MANY makes of ONE, by the name of NAME.
 */
#include "apply_functions.h"

#include <hotpatch/bundle.h>

#ifndef NAME
#define NAME "functions"
#endif

HOTPATCH_BUNDLE(NAME, 1);

#define ONE(n)                                                                 \
	HOTPATCH_REPLACE(int, function_##n, (void))                            \
	{                                                                      \
		return 1;                                                      \
	}

MANY
