/* SPDX-License-Identifier: MIT */
/* A bundle for the counter: it doubles instead of adding one. */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("double", 1);

HOTPATCH_REPLACE(int, step, (int value))
{
	return value * 2;
}
