/* SPDX-License-Identifier: MIT */
/*
 * Its function calls back, so that it stays on the stack meanwhile.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("caller", 3);

HOTPATCH_REPLACE(int, call, (void (*work)(void *), void *argument))
{
	work(argument);
	return 1;
}
