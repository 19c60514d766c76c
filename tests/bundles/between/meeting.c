/* SPDX-License-Identifier: MIT */
/*
 * The function that waits, in a bundle for which all tasks meet.
 */
#include <hotpatch/bundle.h>

#include <unistd.h>

HOTPATCH_BUNDLE_WITH("meeting", 5, HOTPATCH_RENDEZVOUS, 0);

HOTPATCH_REPLACE(int, wait_for_byte, (int fd))
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		;
	return 1;
}
