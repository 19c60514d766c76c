/* SPDX-License-Identifier: MIT */
/* As good as good, but not what was verified. */
#include <hotpatch/bundle.h>

int price(int net);
int stock(void);

HOTPATCH_BUNDLE("good", 5);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 666;
}

HOTPATCH_REPLACE(int, stock, (void))
{
	return 666;
}
