/* SPDX-License-Identifier: MIT */
/*
 * Every function answers 3, which a constructor prepares.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("constructor", 3);

static int number;

__attribute__((constructor)) static void begin(void)
{
	number = 3;
}

HOTPATCH_REPLACE(int, first_version, (void))
{
	return number;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return number;
}
