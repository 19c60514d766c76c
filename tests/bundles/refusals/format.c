/* SPDX-License-Identifier: MIT */
/*
 * Written in a format that is yet to come.
 */
#include <hotpatch/bundle.h>

#undef HOTPATCH_NOTE_FORMAT
#define HOTPATCH_NOTE_FORMAT 99

HOTPATCH_BUNDLE("format", 10);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
