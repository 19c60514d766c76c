/* SPDX-License-Identifier: MIT */
/*
 * The replacement that debugger.sh finds in a backtrace.
 */
#include <hotpatch/bundle.h>

int doze(int value);
void debugger_host_sleep(void);

HOTPATCH_BUNDLE("fix-doze", 7);

HOTPATCH_REPLACE(int, doze, (int value))
{
	debugger_host_sleep();
	return value + 1;
}
