/* SPDX-License-Identifier: MIT */
/*
 * The same bodies, in a bundle.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("calls", 1);

HOTPATCH_REPLACE(int, program_patchable, (int number))
{
	return number + 2;
}

HOTPATCH_REPLACE_IN("libbench_calls.so", int, library_patchable, (int number))
{
	return number + 2;
}
