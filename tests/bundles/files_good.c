/* SPDX-License-Identifier: MIT */
/*
 * With files_good_more.c: a bundle that has a note of each type and
 * replacements in two source files.
 */
#include <hotpatch/bundle.h>

#include "files_host.h"

HOTPATCH_BUNDLE_WITH("fix-1", 7, HOTPATCH_IMMEDIATE,
		     HOTPATCH_FLAG_CONSTRUCTORS);
HOTPATCH_TARGET("server", "0123456789abcdef0123456789abcdef01234567");
HOTPATCH_TARGET("libtable.so.1", "fedcba9876543210");
HOTPATCH_REPLACES("fix-0");
HOTPATCH_REQUIRES("base");
HOTPATCH_CONFLICTS("rival");

HOTPATCH_REPLACE(int, handle_one,
		 (struct request * request, const char path[4]))
{
	if (request->length < 0)
		return -1;
	return HOTPATCH_ORIGINAL(handle_one)(request, path);
}

HOTPATCH_REPLACE(int, handle_two,
		 (struct request * request, const char path[4]))
{
	return HOTPATCH_ORIGINAL(handle_two)(request, path) + path[0];
}
