/* SPDX-License-Identifier: MIT */
/*
 * The same as before_size.c, by today's headers.
 */
#include <hotpatch/bundle.h>

int older_answer(int value);

HOTPATCH_BUNDLE("newer", 1);
HOTPATCH_IMPORT(int, older_base);
HOTPATCH_STATE("older-state", 2);

static int half(int value)
{
	return value / 2;
}

HOTPATCH_EXPORT(int(int), half);

HOTPATCH_COMMIT(context)
{
	HOTPATCH_IMPORTED(older_base) += (int)context->state_count;
}

HOTPATCH_REPLACE(int, older_answer, (int value))
{
	return half(HOTPATCH_ORIGINAL(older_answer)(value)) +
	       HOTPATCH_IMPORTED(older_base);
}
