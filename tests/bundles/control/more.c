/* SPDX-License-Identifier: MIT */
/*
 * A second fix for the same function, to have two patches active.
 */
#include <hotpatch/bundle.h>

int control_answer(void);

HOTPATCH_BUNDLE("control-more", 2);

HOTPATCH_REPLACE(int, control_answer, (void))
{
	return 3;
}
