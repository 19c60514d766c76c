/* SPDX-License-Identifier: MIT */
/*
 * A fix for which all tasks have to meet.
 */
#include <hotpatch/bundle.h>

int answer(void);

HOTPATCH_BUNDLE_WITH("meet-answer", 2, HOTPATCH_RENDEZVOUS, 0);

HOTPATCH_REPLACE(int, answer, (void))
{
	return HOTPATCH_ORIGINAL(answer)() + 2;
}
