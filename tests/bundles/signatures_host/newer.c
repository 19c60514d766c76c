/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("newer", 2);

HOTPATCH_REPLACE(int, answer, (void))
{
	return 43;
}
