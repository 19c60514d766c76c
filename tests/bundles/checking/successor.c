/* SPDX-License-Identifier: MIT */
/*
 * Takes over from a patch that another one may require.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("successor", 6);
HOTPATCH_REPLACES("exporter");
HOTPATCH_STATE("prices", 2);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
