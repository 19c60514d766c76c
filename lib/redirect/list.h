/* SPDX-License-Identifier: MIT */
/*
 * An array that grows, of items of one size; freed by freeing its items.
 */
#ifndef HP_REDIRECT_LIST_H
#define HP_REDIRECT_LIST_H

#include <stddef.h>

struct hp_list {
	void *items;
	size_t count;
	size_t capacity;
};

/* The first of @count new items at the end; NULL without memory. */
void *hp_list_append(struct hp_list *list, size_t item_size, size_t count);

#endif
