/* SPDX-License-Identifier: MIT */
/*
 * The second source file of files_good.
 */
#include <hotpatch/bundle.h>

#include "files_host.h"

HOTPATCH_REPLACES("fix-00");

HOTPATCH_REPLACE_IN("libtable.so.1", void *, make_table,
		    (int (*compare)(const void *, const void *), long size))
{
	return HOTPATCH_ORIGINAL(make_table)(compare, size * 2);
}

HOTPATCH_REPLACE(int, log_line, (const char *format, ...))
{
	return format[0];
}

HOTPATCH_REPLACE_STATIC("server.c", int, helper, (int number))
{
	return HOTPATCH_ORIGINAL(helper)(number) * 2;
}
