/* SPDX-License-Identifier: MIT */
/*
 * A static function of a file, without a seal.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("static", 1);

HOTPATCH_REDIRECT_STATIC("redirect_bundles.c", int, hidden, (int x))
{
	return x;
}
