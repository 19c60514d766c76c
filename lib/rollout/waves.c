/* SPDX-License-Identifier: MIT */
/*
 * Reading "1 10% 50%": words of digits, some with a sign behind.
 */
#include "waves.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_LIMIT 1000000

/* One word, from *@text on, which moves behind it; 0 for none or a bad one. */
static unsigned long read_size(const char **text, bool *is_percentage)
{
	unsigned long size;
	char *end;

	*text += strspn(*text, " ");
	if (!strchr("0123456789", **text))
		return 0;
	size = strtoul(*text, &end, 10);
	*is_percentage = *end == '%';
	*text = end + *is_percentage;
	if (**text && **text != ' ')
		return 0;
	return size <= (*is_percentage ? 100 : SIZE_LIMIT) ? size : 0;
}

static bool is_at_end(const char *text)
{
	return !text[strspn(text, " ")];
}

bool hp_waves_are_valid(const char *text)
{
	bool is_percentage = false;

	do {
		if (!read_size(&text, &is_percentage))
			return false;
	} while (!is_at_end(text));
	return true;
}

unsigned int hp_waves_next(struct hp_waves *waves, unsigned int left)
{
	bool is_percentage = false;
	unsigned long size;

	if (!is_at_end(waves->next)) {
		size = read_size(&waves->next, &is_percentage);
		if (is_percentage)
			size = (waves->count * size + 99) / 100;
		waves->size = (unsigned int)size;
	}
	return waves->size < left ? waves->size : left;
}
