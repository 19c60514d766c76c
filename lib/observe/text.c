/* SPDX-License-Identifier: MIT */
/*
 * Putting text together; nothing is allocated, and what does not fit is only
 * counted.
 */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void hp_text_add(struct hp_text *text, const char *format, ...)
{
	size_t at = text->length < text->size ? text->length : text->size;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->bytes ? text->bytes + at : NULL,
			   text->size - at, format, arguments);
	va_end(arguments);
	if (length > 0)
		text->length += (size_t)length;
}

static void add_byte(struct hp_text *text, char byte)
{
	if (text->length + 1 < text->size) {
		text->bytes[text->length] = byte;
		text->bytes[text->length + 1] = '\0';
	}
	text->length++;
}

static size_t count_continuations(const unsigned char *bytes, size_t wanted)
{
	size_t i;

	for (i = 0; i < wanted; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	}
	return wanted;
}

/* Bytes of the character that begins here; 0 if it is none of UTF-8. */
static size_t utf8_size(const unsigned char *at)
{
	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] < 0xe0)
		return count_continuations(at + 1, 1) ? 2 : 0;
	if ((at[0] & 0xf0) == 0xe0) {
		/* Longer than need be, or half of a pair. */
		if ((at[0] == 0xe0 && at[1] < 0xa0) ||
		    (at[0] == 0xed && at[1] >= 0xa0))
			return 0;
		return count_continuations(at + 1, 2) ? 3 : 0;
	}
	if (at[0] >= 0xf0 && at[0] < 0xf5) {
		if ((at[0] == 0xf0 && at[1] < 0x90) ||
		    (at[0] == 0xf4 && at[1] >= 0x90))
			return 0;
		return count_continuations(at + 1, 3) ? 4 : 0;
	}
	return 0;
}

void hp_text_add_quoted(struct hp_text *text, const char *value)
{
	const unsigned char *at = (const unsigned char *)value;
	size_t size;

	add_byte(text, '"');
	for (; *at; at += size) {
		size = utf8_size(at);
		if (!size || *at < 0x20 || *at == 0x7f) {
			size = 1;
			add_byte(text, '?');
			continue;
		}
		if (*at == '"' || *at == '\\')
			add_byte(text, '\\');
		hp_text_add(text, "%.*s", (int)size, (const char *)at);
	}
	add_byte(text, '"');
}
