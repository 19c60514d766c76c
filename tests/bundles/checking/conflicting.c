/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("conflicting", 5);
HOTPATCH_CONFLICTS("exporter");

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
