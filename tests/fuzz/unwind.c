/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of a module's unwind table. The input is the segment that
 * has it, and four bytes: where an address lies, relative to the segment, that
 * is looked for, and where the table begins.
 */
#include "../../lib/module.h"

#include <stdlib.h>
#include <string.h>

#define REACH 65536 /* of the module, on both sides */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct hp_module_facts *facts, uintptr_t address)
{
	uintptr_t start;
	uintptr_t stop;

	if (!hp_module_function(facts, address, &start, &stop))
		return;
	if (start > address || stop <= address || start < facts->start ||
	    stop > facts->stop)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_module_facts facts = {0};
	unsigned char *segment;
	uint16_t table;
	int16_t address;

	if (size < sizeof(address) + sizeof(table))
		return 0;
	size -= sizeof(address) + sizeof(table);
	memcpy(&address, data + size, sizeof(address));
	memcpy(&table, data + size + sizeof(address), sizeof(table));
	/* Of its own size, so that a read past its end is seen. */
	segment = malloc(size + !size);
	if (!segment)
		return 0;
	memcpy(segment, data, size);
	facts.unwind_start = (uintptr_t)segment;
	facts.unwind_stop = facts.unwind_start + size;
	facts.unwind = facts.unwind_start + table;
	facts.start = facts.unwind_start - REACH;
	facts.stop = facts.unwind_start + REACH;
	look(&facts, facts.unwind_start + (uintptr_t)(intptr_t)address);
	free(segment);
	return 0;
}
