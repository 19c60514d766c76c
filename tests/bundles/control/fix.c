/* SPDX-License-Identifier: MIT */
/*
 * The fix that the test of the control socket passes as a descriptor.
 */
#include <hotpatch/bundle.h>

int control_answer(void);

HOTPATCH_BUNDLE("control-fix", 1);

HOTPATCH_REPLACE(int, control_answer, (void))
{
	return 2;
}
