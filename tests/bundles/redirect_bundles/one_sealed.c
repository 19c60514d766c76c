/* SPDX-License-Identifier: MIT */
/*
 * The same as one.c, with the static function named by its file.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("one-sealed", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}

HOTPATCH_REDIRECT_STATIC("redirect_bundles.c", int, hidden, (int x))
{
	return HOTPATCH_ORIGINAL(hidden)(x) + 100;
}
