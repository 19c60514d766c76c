/* SPDX-License-Identifier: MIT */
/*
 * Ends the process when it is applied, if the host says so.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("dies", 5);

void may_die(void);

HOTPATCH_PREPARE(context)
{
	(void)context;
	may_die();
}

HOTPATCH_REPLACE(int, number, (void))
{
	return 5;
}
