/* SPDX-License-Identifier: MIT */
/*
 * A new body for a function that the host did not prepare.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("plain", 8);

HOTPATCH_REDIRECT(int, plain, (void))
{
	return 8;
}
