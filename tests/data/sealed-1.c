/* SPDX-License-Identifier: MIT */
/*
 * The source of sealed-1.so.
 */
#include <hotpatch/bundle.h>

int answer(int value);

HOTPATCH_BUNDLE("sealed-one", 7);
HOTPATCH_REQUIRES("earlier");
HOTPATCH_IMPORT_STATIC("sealed-1-host.c", volatile int, hidden);
HOTPATCH_IMPORT_TLS("sealed-1-host.c", volatile long, local);

static volatile int twin = 4;

static int half(int value)
{
	return value / 2;
}

HOTPATCH_EXPORT(int(int), half);

HOTPATCH_REPLACE(int, answer, (int value))
{
	HOTPATCH_IMPORTED(local)++;
	return half(value) + HOTPATCH_IMPORTED(hidden) + twin++;
}
