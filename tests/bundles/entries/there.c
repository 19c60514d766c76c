/* SPDX-License-Identifier: MIT */
/*
 * Replaces the static function of the second file alone.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("there", 2);

HOTPATCH_REPLACE_STATIC("other.c", int, shade, (void))
{
	return 1020;
}
