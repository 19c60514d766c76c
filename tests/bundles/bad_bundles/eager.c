/* SPDX-License-Identifier: MIT */
/* Its constructor is wanted, but not before another patch is active. */
#include <hotpatch/bundle.h>

extern int constructed;
int price(int net);

HOTPATCH_BUNDLE_WITH("eager", 5, HOTPATCH_PER_TASK, HOTPATCH_FLAG_CONSTRUCTORS);
HOTPATCH_REQUIRES("another");

__attribute__((constructor)) static void construct(void)
{
	constructed++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}
