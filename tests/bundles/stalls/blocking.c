/* SPDX-License-Identifier: MIT */
/*
 * Replaces the function that waits, and one beside it.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("blocking", 3);

HOTPATCH_REPLACE(int, wait_for_byte, (int fd))
{
	return fd < 0 ? -1 : 1;
}

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 1;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 1;
}
