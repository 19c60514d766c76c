/* SPDX-License-Identifier: MIT */
/*
 * A second file of the program, with a static function that has the name of
 * one in the first.
 */
#include "entries.h"

#include <hotpatch/hotpatch.h>

HOTPATCH_STATIC_FUNCTION(int, shade, (void))
{
	return 20;
}

int shade_there(void)
{
	return shade();
}
