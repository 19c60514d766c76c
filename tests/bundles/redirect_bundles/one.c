/* SPDX-License-Identifier: MIT */
/*
 * Redirects an exported and a static function of the program, by their names.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("one", 1);

int plain(int x);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}

HOTPATCH_REDIRECT(int, hidden, (int x))
{
	return HOTPATCH_ORIGINAL(hidden)(x) + 100;
}
