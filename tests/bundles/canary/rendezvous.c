/* SPDX-License-Identifier: MIT */
/*
 * One that no canary can have.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("rendezvous", 1, HOTPATCH_RENDEZVOUS, 0);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 4;
}
