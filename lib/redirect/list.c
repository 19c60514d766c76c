/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <stdlib.h>

void *hp_list_append(struct hp_list *list, size_t item_size, size_t count)
{
	size_t capacity = list->capacity ? list->capacity : 256;
	void *grown;

	while (capacity < list->count + count)
		capacity *= 2;
	if (capacity != list->capacity) {
		grown = realloc(list->items, capacity * item_size);
		if (!grown)
			return NULL;
		list->items = grown;
		list->capacity = capacity;
	}
	list->count += count;
	return (char *)list->items + (list->count - count) * item_size;
}
