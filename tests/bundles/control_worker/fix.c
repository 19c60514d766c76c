/* SPDX-License-Identifier: MIT */
/*
 * A fix without callbacks, beside the one that lingers.
 */
#include <hotpatch/bundle.h>

int control_answer(void);

HOTPATCH_BUNDLE("control-fix", 1);

HOTPATCH_REPLACE(int, control_answer, (void))
{
	return 2;
}
