/* SPDX-License-Identifier: MIT */
/*
 * A second module to redirect functions in: a plain one, and one that a
 * resolver chooses.
 */
#include <hotpatch/api.h>

HOTPATCH_API int plugin_plain(int x);
HOTPATCH_API int plugin_chosen(int x);

static int choice(int x)
{
	volatile int copy = x;

	return copy + 1;
}

/* The dynamic loader calls it before the module is ready for anything. */
__attribute__((used,
	       no_sanitize("address", "thread",
			   "undefined"))) static int (*choose(void))(int x)
{
	return choice;
}

int plugin_plain(int x)
{
	volatile int copy = x;

	return copy + 1;
}

int plugin_chosen(int x) __attribute__((ifunc("choose")));
