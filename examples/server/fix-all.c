/* SPDX-License-Identifier: MIT */
/*
 * All fixes of the server in one bundle, which takes over from whatever is
 * active: the two functions of fix-two, and the check of the item's number.
 */
#include "server.h"

#include <hotpatch/bundle.h>
#include <stdio.h>
#include <string.h>

HOTPATCH_BUNDLE("fix-all", 2);
HOTPATCH_REPLACES("*");

HOTPATCH_REPLACE(const struct item *, item_find, (const char *path))
{
	const char *number = strrchr(path, '/');

	if (!number || number[1] == '\0')
		return NULL;
	if (number[1 + strspn(number + 1, "0123456789")] != '\0')
		return NULL;
	return HOTPATCH_ORIGINAL(item_find)(path);
}

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
	*span = (struct span){first, last - first + 1, 3};
	return true;
}

HOTPATCH_REPLACE(void, span_copy,
		 (const struct span *span, const struct item *item,
		  struct body *body))
{
	body->size = span->extent < BODY_SIZE ? span->extent : BODY_SIZE;
	memcpy(body->text, item->text + span->first, body->size);
	body->version = 3;
}
