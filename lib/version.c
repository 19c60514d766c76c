/* SPDX-License-Identifier: MIT */
/*
 * The version of the library that runs, which need not be the one that a host
 * was compiled with.
 */
#include <hotpatch/version.h>

const char *hotpatch_version(void)
{
	return HOTPATCH_VERSION;
}
