/* SPDX-License-Identifier: MIT */
/*
 * Has a note whose function is no name.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("note", 14);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}

HOTPATCH_NOTE_(bad_note, HOTPATCH_NOTE_REPLACE, struct hotpatch_note_replace,
	       HOTPATCH_BRACED_(0, 0, 0), "\0\0not a name\0int (void)");
