/* SPDX-License-Identifier: MIT */
/*
 * What the command prints: tables, one JSON object, errors. Names come from
 * other processes, so no control character of theirs reaches the terminal.
 */
#include "tool.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_LIMIT 4096
#define GAP 2

static void make_harmless(char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text) && *text != '\n')
			*text = '?';
	}
}

void hp_print(const char *format, ...)
{
	char text[TEXT_LIMIT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	make_harmless(text);
	fputs(text, stdout);
}

/* The error was part of the one object that is printed. */
static bool told;

json_t *hp_json_outcome(json_t *object, enum hotpatch_status status,
			const struct hotpatch_error *err)
{
	if (status) {
		json_object_set_new(object, "error", hp_wire_error(err));
		told = true;
	}
	return object;
}

void hp_print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

void hp_print_error(const struct hotpatch_error *err, bool json)
{
	char text[sizeof(err->sentence)];

	if (json && told)
		return;
	if (json) {
		hp_print_json(json_pack("{s:o}", "error", hp_wire_error(err)));
		return;
	}
	memcpy(text, err->sentence, sizeof(text));
	make_harmless(text);
	fprintf(stderr, "hotpatch: %s: %s\n", hotpatch_status_name(err->status),
		text);
}

const char *hp_json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t hp_json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Without memory the table ends early: there is nothing better to print. */
void hp_table_add(struct hp_table *table, const char *format, ...)
{
	va_list arguments;
	char **cells =
		realloc(table->cells, (table->count + 1) * sizeof(*cells));
	int length;

	if (!cells)
		return;
	table->cells = cells;
	va_start(arguments, format);
	length = vasprintf(&cells[table->count], format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	make_harmless(cells[table->count]);
	table->count++;
}

bool hp_terminal_obeys(void)
{
	const char *terminal = getenv("TERM");

	return terminal && strcmp(terminal, "dumb") != 0;
}

/* Only on a terminal, and not where somebody asked for none. */
static bool wants_colours(void)
{
	const char *none = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && hp_terminal_obeys() && !(none && *none);
}

/* Of the words that tables have for how things stand. */
static const char *colour_of(const char *word)
{
	static const struct {
		const char *words;
		const char *colour;
	} colours[] = {
		{" active already reached reverted settled ", "\033[32m"},
		{" applying reverting undone untouched closed ", "\033[33m"},
		{" failed lost differs retained E_UNREACHABLE ", "\033[31m"},
	};
	char whole[32];
	size_t i;

	if (snprintf(whole, sizeof(whole), " %s ", word) >= (int)sizeof(whole))
		return NULL;
	for (i = 0; i < sizeof(colours) / sizeof(*colours); i++)
		if (word[0] && strstr(colours[i].words, whole))
			return colours[i].colour;
	return NULL;
}

static void print_cell(const char *text, int width, const char *colour)
{
	if (colour)
		printf("%s%-*s\033[m", colour, width, text);
	else
		printf("%-*s", width, text);
}

static int column_width(const struct hp_table *table, size_t column)
{
	size_t width = 0;
	size_t length;
	size_t i;

	for (i = column; i < table->count; i += table->columns) {
		length = strlen(table->cells[i]);
		width = length > width ? length : width;
	}
	return (int)width;
}

/* No blanks at the end, where the last cells are empty. */
static void print_row(const struct hp_table *table, size_t row, bool colours)
{
	size_t last = table->columns - 1;
	const char *cell;
	size_t i;

	while (last && !*table->cells[row + last])
		last--;
	for (i = 0; i <= last; i++) {
		cell = table->cells[row + i];
		print_cell(cell, i < last ? column_width(table, i) + GAP : 0,
			   !colours ? NULL :
			   row	    ? colour_of(cell) :
				      "\033[1m");
	}
	putchar('\n');
}

void hp_table_print(const struct hp_table *table)
{
	const bool colours = wants_colours();
	size_t row;

	for (row = 0; row + table->columns <= table->count;
	     row += table->columns)
		print_row(table, row, colours);
}

void hp_table_release(struct hp_table *table)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct hp_table){0};
}
