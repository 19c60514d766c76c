/* SPDX-License-Identifier: MIT */
/*
 * For the program and for both functions of the module late.so.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("late", 1);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 1;
}

HOTPATCH_REPLACE_IN("late.so", int, late_price, (int net))
{
	return net + 101;
}

HOTPATCH_REPLACE_IN("late.so", int, late_tax, (int net))
{
	return net + 102;
}
