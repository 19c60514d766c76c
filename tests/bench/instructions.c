/* SPDX-License-Identifier: MIT */
/*
 * Runs one of the loops whose instructions are counted.
 *
 * usage: instructions LOOP COUNT
 */
#include "instructions.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct hotpatch_process_info info;

	if (argc != 3)
		return 2;
	hotpatch_process_info(&info);
	if (info.status != HOTPATCH_OK || !info.membarrier) {
		fprintf(stderr, "instructions: every enter has a fence here\n");
		return 77;
	}
	/* The first enter of a thread makes its record. */
	hotpatch_enter();
	hotpatch_leave();
	run_loop(argv[1], strtoul(argv[2], NULL, 10));
	return 0;
}
