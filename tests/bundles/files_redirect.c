/* SPDX-License-Identifier: MIT */
/*
 * A bundle that redirects functions of a program and of a library, with a
 * little room for a seal.
 */
#define HOTPATCH_SEAL_ROOM 256
#include <hotpatch/bundle.h>

#include "files_host.h"

HOTPATCH_BUNDLE("redirects", 1);
HOTPATCH_TARGET("", "0123456789abcdef0123456789abcdef01234567");
HOTPATCH_TARGET("libtable.so.1", "fedcba9876543210");

HOTPATCH_REPLACE(int, handle_one,
		 (struct request * request, const char path[4]))
{
	return request->length + path[0];
}

HOTPATCH_REDIRECT(int, handle_two,
		  (struct request * request, const char path[4]))
{
	return HOTPATCH_ORIGINAL(handle_two)(request, path) + path[0];
}

HOTPATCH_REDIRECT_STATIC("server.c", int, hidden, (int x))
{
	return x;
}

HOTPATCH_REDIRECT_IN("libtable.so.1", void *, make_table,
		     (int (*compare)(const void *, const void *), long size))
{
	return HOTPATCH_ORIGINAL(make_table)(compare, size + 1);
}

HOTPATCH_REDIRECT_STATIC_IN("libtable.so.1", "table.c", int, grow, (int x))
{
	return x + 1;
}
