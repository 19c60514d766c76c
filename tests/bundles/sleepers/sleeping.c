/* SPDX-License-Identifier: MIT */
/*
 * The function that waits does so in the bundle's own code.
 */
#include <hotpatch/bundle.h>

#include <unistd.h>

HOTPATCH_BUNDLE("sleeping", 5);

HOTPATCH_REPLACE(int, wait_for_byte, (int fd))
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		;
	return 1;
}

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 1;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 1;
}
