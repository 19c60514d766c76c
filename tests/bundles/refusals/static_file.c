/* SPDX-License-Identifier: MIT */
/*
 * Names a static function in a file that has none of that name.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("static-file", 5);

HOTPATCH_REPLACE_STATIC("other.c", int, local, (int a))
{
	return a;
}
