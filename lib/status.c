/* SPDX-License-Identifier: MIT */
/*
 * Names and texts of the status codes, and how errors are filled.
 */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(char *place, size_t size)
{
	if (size > 3)
		memcpy(place + size - 4, "...", 4);
}

void hp_text_copy(char *place, size_t size, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (size == 0)
		return;
	if (length < size) {
		memcpy(place, text ? text : "", length + 1);
		return;
	}
	memcpy(place, text, size - 1);
	place[size - 1] = '\0';
	mark_cut(place, size);
}

enum hotpatch_status hp_error(struct hotpatch_error *err,
			      enum hotpatch_status status, int os_error,
			      const char *object, const char *format, ...)
{
	va_list arguments;
	int length;

	if (!err)
		return status;
	err->status = status;
	err->os_error = os_error;
	hp_text_copy(err->object, sizeof(err->object), object);
	va_start(arguments, format);
	length = vsnprintf(err->sentence, sizeof(err->sentence), format,
			   arguments);
	va_end(arguments);
	if (length >= (int)sizeof(err->sentence))
		mark_cut(err->sentence, sizeof(err->sentence));
	return status;
}

static const struct {
	enum hotpatch_status status;
	const char *name;
	const char *text;
} list[] = {
#define ROW(name, value, text) {HOTPATCH_##name, #name, text},
	HOTPATCH_STATUS_MAP(ROW)
#undef ROW
};

#define COUNT (sizeof(list) / sizeof(list[0]))

/* Where it stands in the list; COUNT for what is no status. */
static size_t find(enum hotpatch_status status)
{
	size_t i = 0;

	while (i < COUNT && list[i].status != status)
		i++;
	return i;
}

const char *hotpatch_status_name(enum hotpatch_status status)
{
	size_t i = find(status);

	return i < COUNT ? list[i].name : "E_UNKNOWN";
}

const char *hotpatch_status_text(enum hotpatch_status status)
{
	size_t i = find(status);

	return i < COUNT ? list[i].text : "an unknown status";
}
