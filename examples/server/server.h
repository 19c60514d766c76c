/* SPDX-License-Identifier: MIT */
/*
 * What the server and its bundles share: the items that it sells and the
 * functions that may be patched. The handler calls span_parse() and
 * span_copy() for each request, so both must be of one version.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define BODY_SIZE 256

/**
 * struct item - one item on sale
 * @text: what everybody may read; the seller's private note lies behind it
 * @size: bytes of @text
 */
struct item {
	const char *text;
	size_t size;
};

/**
 * struct span - the part of an item that a request asked for
 * @first:   offset of its first byte
 * @extent:  where it ends; how that is told is between span_parse() and
 *           span_copy() alone
 * @version: of the span_parse() that wrote it
 */
struct span {
	size_t first;
	size_t extent;
	unsigned int version;
};

/**
 * struct body - what is answered
 * @text:    the bytes
 * @size:    how many
 * @version: of the span_copy() that wrote it
 */
struct body {
	char text[BODY_SIZE];
	size_t size;
	unsigned int version;
};

/* The item that "/item/N" names, or NULL. */
const struct item *item_find(const char *path);

/* Reads "bytes=FIRST-LAST"; false if it makes no sense for @item. */
bool span_parse(const char *range, const struct item *item, struct span *span);

/* Copies @span of @item into @body. */
void span_copy(const struct span *span, const struct item *item,
	       struct body *body);

/* Fills the table of items; once, before the first request. */
void item_fill(void);

#endif
