/* SPDX-License-Identifier: MIT */
/*
 * What the loops of the instruction count call: one body as a plain function
 * and as a patchable one, in a file of its own.
 */
#ifndef HOTPATCH_TEST_INSTRUCTIONS_H
#define HOTPATCH_TEST_INSTRUCTIONS_H

#include <hotpatch/hotpatch.h>

int plain(int number);
extern HOTPATCH_HIDDEN_ int (*pointer)(int number);
HOTPATCH_DECLARE(int, patchable, (int number));

/* Runs loop @what @count times. */
void run_loop(const char *what, unsigned long count);

#endif
