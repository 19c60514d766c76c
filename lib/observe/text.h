/* SPDX-License-Identifier: MIT */
/*
 * Text that is put together piece by piece in a place of fixed size.
 */
#ifndef HP_OBSERVE_TEXT_H
#define HP_OBSERVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* @length: of the whole, also of what did not fit into @size bytes. */
struct hp_text {
	char *bytes;
	size_t size;
	size_t length;
};

__attribute__((format(printf, 2, 3))) void hp_text_add(struct hp_text *text,
						       const char *format, ...);

/* In double quotes, as JSON and the labels of metrics want it. What is not
 * UTF-8, and control characters, become "?". */
void hp_text_add_quoted(struct hp_text *text, const char *value);

static inline bool hp_text_fits(const struct hp_text *text)
{
	return text->length < text->size;
}

#endif
