/* SPDX-License-Identifier: MIT */
/*
 * The items in memory, and the three functions that the bundles beside this
 * file mend. Texts and private notes lie behind one another in one store, so
 * that reading too far hands out a note, as such bugs do.
 */
#include "server.h"

#include <hotpatch/hotpatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_COUNT 8
#define RECORD_SIZE 128

static struct item items[ITEM_COUNT];

/* The space behind the last record keeps the flaw of span_copy() inside. */
static char store[ITEM_COUNT * RECORD_SIZE + BODY_SIZE];

void item_fill(void)
{
	static const char *const names[ITEM_COUNT] = {"anvil",	"bucket",
						      "candle", "drum",
						      "engine", "feather",
						      "globe",	"hammer"};

	for (size_t i = 0; i < ITEM_COUNT; i++) {
		char *text = store + i * RECORD_SIZE;
		int size = snprintf(text, RECORD_SIZE / 2,
				    "item %zu: one %s, %zu in stock, price %zu",
				    i, names[i], 10 + 7 * i, 100 + 35 * i);

		items[i] = (struct item){text, (size_t)size};
		snprintf(text + size, RECORD_SIZE / 2,
			 " [private: supplier asks %zu]", 40 + 11 * i);
	}
}

/* The flaw: "/item/3junk" is taken for item 3. */
HOTPATCH_FUNCTION(const struct item *, item_find, (const char *path))
{
	static const char prefix[] = "/item/";
	unsigned long number;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	number = strtoul(path + sizeof(prefix) - 1, NULL, 10);
	return number < ITEM_COUNT ? &items[number] : NULL;
}

/* In this version the extent is the offset of the last byte. */
HOTPATCH_FUNCTION(bool, span_parse,
		  (const char *range, const struct item *item,
		   struct span *span))
{
	unsigned long first, last;

	if (sscanf(range, "bytes=%lu-%lu", &first, &last) != 2)
		return false;
	if (first >= item->size)
		return false;
	*span = (struct span){first, last, 1};
	return true;
}

/* The flaw: nobody compared the last byte with the end of the item. */
HOTPATCH_FUNCTION(void, span_copy,
		  (const struct span *span, const struct item *item,
		   struct body *body))
{
	size_t size = span->extent - span->first + 1;

	if (size > BODY_SIZE)
		size = BODY_SIZE;
	memcpy(body->text, item->text + span->first, size);
	body->size = size;
	body->version = 1;
}
