/* SPDX-License-Identifier: MIT */
/*
 * A bundle whose functions all answer VERSION.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE(NAME, VERSION);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return VERSION;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return VERSION;
}

extern int third_version(int depth);

HOTPATCH_REPLACE(int, third_version, (int depth))
{
	return depth ? third_version(depth - 1) : VERSION;
}
