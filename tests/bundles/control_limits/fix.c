/* SPDX-License-Identifier: MIT */
/*
 * The fix that the test of the control socket passes as a descriptor.
 */
#include <hotpatch/bundle.h>

int limits_answer(void);

HOTPATCH_BUNDLE("limits-fix", 1);

HOTPATCH_REPLACE(int, limits_answer, (void))
{
	return 2;
}
