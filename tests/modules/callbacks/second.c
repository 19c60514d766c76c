/* SPDX-License-Identifier: MIT */
/*
 * A module with a table, whose own constructor calls its patchable function.
 */
#include <hotpatch/hotpatch.h>

extern int second_constructed_with;

HOTPATCH_FUNCTION(int, second_price, (int net))
{
	return net + 1;
}

__attribute__((constructor)) static void construct(void)
{
	second_constructed_with = second_price(0);
}
