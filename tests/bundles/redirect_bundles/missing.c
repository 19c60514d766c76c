/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("missing", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return x;
}

HOTPATCH_REDIRECT(int, no_such_function, (int x))
{
	return x;
}
