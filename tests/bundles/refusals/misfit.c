/* SPDX-License-Identifier: MIT */
/*
 * Wants its constructor to run, and a function that the host lacks.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("misfit", 15, HOTPATCH_PER_TASK,
		     HOTPATCH_FLAG_CONSTRUCTORS);

extern int constructed;

__attribute__((constructor)) static void begin(void)
{
	constructed++;
}

HOTPATCH_REPLACE(int, price_of_nothing, (int net))
{
	return net;
}
