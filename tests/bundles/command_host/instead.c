/* SPDX-License-Identifier: MIT */
/*
 * A fix that takes the place of the other one, and does not bring it back.
 */
#include <hotpatch/bundle.h>

int answer(void);

HOTPATCH_BUNDLE("fix-instead", 2);
HOTPATCH_REPLACES("fix-answer");

HOTPATCH_REPLACE(int, answer, (void))
{
	return HOTPATCH_ORIGINAL(answer)() + 2;
}
