/* SPDX-License-Identifier: MIT */
/*
 * Names a function twice.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("duplicate", 9);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}

HOTPATCH_NOTE_(price__again, HOTPATCH_NOTE_REPLACE,
	       struct hotpatch_note_replace, HOTPATCH_BRACED_(0, 0, 0),
	       "\0\0price\0int (int net)");
