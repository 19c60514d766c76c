/* SPDX-License-Identifier: MIT */
/*
 * Has a constructor, and says that it wants it.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("wanted", 7, HOTPATCH_PER_TASK,
		     HOTPATCH_FLAG_CONSTRUCTORS);

extern int constructed;

__attribute__((constructor)) static void begin(void)
{
	constructed++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 700;
}
