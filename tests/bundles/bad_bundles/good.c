/* SPDX-License-Identifier: MIT */
/* The bundle that the rows of the table spoil: it has a note of each kind. */
#include <hotpatch/bundle.h>

int price(int net);
int stock(void);

HOTPATCH_BUNDLE("good", 5);
HOTPATCH_REPLACES("elder");
HOTPATCH_CONFLICTS("enemy");
HOTPATCH_EXPIRES(4102444800u);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + 100;
}

HOTPATCH_REPLACE(int, stock, (void))
{
	return 100;
}
