/* SPDX-License-Identifier: MIT */
/*
 * Mends the reading beyond an item's end. The extent becomes a number of
 * bytes, checked where it is parsed, so the two functions fit each other and
 * neither fits the other's old version.
 */
#include "server.h"

#include <hotpatch/bundle.h>
#include <stdio.h>
#include <string.h>

#ifdef FIX_IMMEDIATE
HOTPATCH_BUNDLE_WITH("fix-immediate", 1, HOTPATCH_IMMEDIATE, 0);
#else
HOTPATCH_BUNDLE("fix-two", 1);
#endif

HOTPATCH_REPLACE(bool, span_parse,
		 (const char *range, const struct item *item,
		  struct span *span))
{
	unsigned long first, last;

	if (sscanf(range, "bytes=%lu-%lu", &first, &last) != 2)
		return false;
	if (first >= item->size || last < first)
		return false;
	if (last >= item->size)
		last = item->size - 1;
	*span = (struct span){first, last - first + 1, 2};
	return true;
}

HOTPATCH_REPLACE(void, span_copy,
		 (const struct span *span, const struct item *item,
		  struct body *body))
{
	body->size = span->extent < BODY_SIZE ? span->extent : BODY_SIZE;
	memcpy(body->text, item->text + span->first, body->size);
	body->version = 2;
}
