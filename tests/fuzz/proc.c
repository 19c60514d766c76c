/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of texts from /proc: a thread's registers, how often it
 * was switched out, and the process's mappings. The input is the text of any
 * of them. Includes the source, whose functions for texts are its own.
 */
#include "../../lib/stack.c"

#include <stdint.h>

#define CUTS 64
#define LINE 512 /* as in parse_mappings() */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stand for lib/engine.c: no loader is called here. */
void hp_loader_enter(void)
{
}

void hp_loader_leave(void)
{
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A thread is said to sleep only by a text that is whole. */
static void check_registers(const char *text)
{
	struct registers registers = {0};

	if (!parse_registers(text, &registers))
		return;
	if (registers.asleep)
		require(registers.stack && registers.code && text[0] != '-' &&
			strchr(text, '\n'));
}

/* A text that was cut has the same count or none: not another one. */
static void check_switches(char *text, size_t size)
{
	unsigned long long count;
	unsigned long long cut;
	size_t i;

	if (!parse_switches(text, &count))
		return;
	for (i = 0; i < CUTS && i < size; i++) {
		text[size - i] = '\0';
		require(!parse_switches(text, &cut) || cut == count);
	}
}

/* Whether a line, of which no more than its first bytes count, tells of a
 * mapping that can be written. */
static bool is_writable(const char *line, size_t size)
{
	char start[LINE];
	char modes[5];
	unsigned long from;
	unsigned long to;

	size = size < LINE - 1 ? size : LINE - 1;
	memcpy(start, line, size);
	start[size] = '\0';
	return sscanf(start, "%lx-%lx %4s", &from, &to, modes) == 3 &&
	       modes[0] == 'r' && modes[1] == 'w';
}

static size_t count_writable(const char *text)
{
	size_t count = 0;
	size_t size;

	while (*text) {
		size = strcspn(text, "\n");
		count += is_writable(text, size);
		text += size + (text[size] == '\n');
	}
	return count;
}

/* There is no mapping that does not begin a line. */
static void check_mappings(char *text, size_t size)
{
	struct hp_stack_reader *reader = calloc(1, sizeof(*reader));
	FILE *file = size ? fmemopen(text, size, "r") : NULL;

	if (reader && file) {
		parse_mappings(reader, file);
		require(reader->count == count_writable(text));
		find_mapping(reader, size);
	}
	if (file)
		fclose(file);
	if (reader)
		free(reader->mappings);
	free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_registers(text);
	if (!memchr(text, '\0', size))
		check_mappings(text, size);
	check_switches(text, size);
	free(text);
	return 0;
}
