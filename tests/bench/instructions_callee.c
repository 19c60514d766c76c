/* SPDX-License-Identifier: MIT */
/*
 * One body, with and without an entry.
 */
#include "instructions.h"

int plain(int number)
{
	return number + 1;
}

int (*pointer)(int number) = plain;

HOTPATCH_FUNCTION(int, patchable, (int number))
{
	return number + 1;
}
