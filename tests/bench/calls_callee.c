/* SPDX-License-Identifier: MIT */
/*
 * What is called, in a file of its own.
 */
#include "calls_callee.h"

int HERE(direct)(int number)
{
	return number + 1;
}

int (*HERE(pointer))(int number) = HERE(direct);

FUNCTION(int, HERE(patchable), (int number))
{
	return number + 1;
}

int HERE(exported)(int number)
{
	return number + 1;
}
