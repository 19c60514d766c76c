/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("constructor", 7, HOTPATCH_PER_TASK,
		     HOTPATCH_FLAG_CONSTRUCTORS);

extern int prepared;

__attribute__((constructor)) static void run(void)
{
	prepared++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
