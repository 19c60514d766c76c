/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("one", 1);

HOTPATCH_REPLACE(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}

HOTPATCH_REPLACE(int, hidden, (int x))
{
	return HOTPATCH_ORIGINAL(hidden)(x) + 100;
}
