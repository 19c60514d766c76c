/* SPDX-License-Identifier: MIT */
/*
 * For another build of the host.
 */
#include <hotpatch/bundle.h>

#undef HOTPATCH_TARGET_BUILD_ID
#define HOTPATCH_TARGET_BUILD_ID "00112233445566778899aabbccddeeff00112233"

HOTPATCH_BUNDLE("other-build", 6);

HOTPATCH_REPLACE(int, price, (int net))
{
	return net;
}
