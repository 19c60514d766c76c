/* SPDX-License-Identifier: MIT */
/* A second version of the only function. */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("one", 1);

HOTPATCH_REPLACE(int, version, (void))
{
	return 2;
}
