/* SPDX-License-Identifier: MIT */
/* Runs something when it is mapped. */
#include <hotpatch/bundle.h>

extern int constructed;
int price(int net);

HOTPATCH_BUNDLE("constructor", 5);

__attribute__((constructor)) static void construct(void)
{
	constructed++;
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}
