/* SPDX-License-Identifier: MIT */
/*
 * A fix whose callbacks stay away for as long as the host wants.
 */
#include <hotpatch/bundle.h>

int control_answer(void);
void control_linger(const char *callback);

HOTPATCH_BUNDLE("control-linger", 1);

HOTPATCH_REPLACE(int, control_answer, (void))
{
	return 3;
}

HOTPATCH_PREPARE(context)
{
	(void)context;
	control_linger("prepare");
}

HOTPATCH_COMMIT(context)
{
	(void)context;
	control_linger("commit");
}

HOTPATCH_BEFORE_REVERT(context)
{
	(void)context;
	control_linger("before-revert");
}

HOTPATCH_AFTER_REVERT(context)
{
	(void)context;
	control_linger("after-revert");
}
