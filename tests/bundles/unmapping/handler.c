/* SPDX-License-Identifier: MIT */
/*
 * Its function sets a signal handler of its own, and takes it back when it is
 * told to.
 */
#include <hotpatch/bundle.h>

#include <signal.h>
#include <stddef.h>

HOTPATCH_BUNDLE("handler", 8);

static void handle(int number)
{
	(void)number;
}

HOTPATCH_REPLACE(void, leave_something, (int *destroyed))
{
	signal(SIGUSR2, destroyed ? handle : SIG_DFL);
}
