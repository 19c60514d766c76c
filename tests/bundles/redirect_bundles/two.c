/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("two", 2);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 200;
}
