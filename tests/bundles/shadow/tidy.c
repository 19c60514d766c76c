/* SPDX-License-Identifier: MIT */
/* As the bundle "one", and takes its data back when it goes. */
#define BUNDLE_NAME "tidy"
#define DESTROYED destroyed_by_one
#include "one.c"

HOTPATCH_AFTER_REVERT(context)
{
	(void)context;
	extra_detach_all();
}
