/* SPDX-License-Identifier: MIT */
/*
 * The fix that command.sh applies to its host.
 */
#include <hotpatch/bundle.h>

int answer(void);

HOTPATCH_BUNDLE("fix-answer", 1);

HOTPATCH_REPLACE(int, answer, (void))
{
	return HOTPATCH_ORIGINAL(answer)() + 1;
}
