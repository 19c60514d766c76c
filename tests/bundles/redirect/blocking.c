/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("blocking", 1);

void wait_inside(void);

HOTPATCH_REPLACE(int, plain, (int x))
{
	wait_inside();
	return HOTPATCH_ORIGINAL(plain)(x) + 300;
}
