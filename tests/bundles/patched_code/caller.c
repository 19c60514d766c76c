/* SPDX-License-Identifier: MIT */
/*
 * Goes back into the host, which does what it wants from there.
 */
#include <hotpatch/bundle.h>

/* As the host spells it. */
typedef int (*price_function)(int net);

int price(int net);
price_function price_to_call(void);
void visit(void);

HOTPATCH_BUNDLE("caller", 1);

HOTPATCH_REPLACE(int, price, (int net))
{
	visit();
	return net + 100;
}

/* The entry's address, as the bundle has it. */
HOTPATCH_REPLACE(price_function, price_to_call, (void))
{
	return price;
}
