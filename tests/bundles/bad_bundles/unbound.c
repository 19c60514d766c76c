/* SPDX-License-Identifier: MIT */
/* Calls what nobody has. */
#include <hotpatch/bundle.h>

int price(int net);
int price_of_nowhere(void);

HOTPATCH_BUNDLE("unbound", 5);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + price_of_nowhere();
}
