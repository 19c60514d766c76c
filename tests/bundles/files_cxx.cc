/* SPDX-License-Identifier: MIT */
/*
 * The macros as C++ sees them.
 */
#include <hotpatch/bundle.h>

#include "files_host.h"

HOTPATCH_BUNDLE("cxx", 1);
HOTPATCH_TARGET("server", "0123456789abcdef");
HOTPATCH_REPLACES("*");

HOTPATCH_REPLACE(int, handle_one,
		 (struct request * request, const char path[4]))
{
	return HOTPATCH_ORIGINAL(handle_one)(request, path) + 1;
}
