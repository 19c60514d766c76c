/* SPDX-License-Identifier: MIT */
/*
 * Answers what the host's own code answers, in lower case.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("original", 4);

HOTPATCH_REPLACE(char, letter, (void))
{
	return (char)(HOTPATCH_ORIGINAL(letter)() | 0x20);
}
