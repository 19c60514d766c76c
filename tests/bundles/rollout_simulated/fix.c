/* SPDX-License-Identifier: MIT */
/*
 * The fix that is rolled out to simulated fleets.
 */
#include <hotpatch/bundle.h>

int answer(void);

HOTPATCH_BUNDLE("fix-answer", 1);

HOTPATCH_REPLACE(int, answer, (void))
{
	return HOTPATCH_ORIGINAL(answer)() + 1;
}
