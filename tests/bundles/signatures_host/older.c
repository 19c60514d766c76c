/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("older", 1);

HOTPATCH_REPLACE(int, answer, (void))
{
	return 42;
}
