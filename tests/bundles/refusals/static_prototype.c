/* SPDX-License-Identifier: MIT */
/*
 * Has another type for a static function than the host.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("static-prototype", 4);

HOTPATCH_REPLACE_STATIC("refusals.c", int, local, (unsigned int a))
{
	return (int)a;
}
