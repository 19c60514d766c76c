/* SPDX-License-Identifier: MIT */
/*
 * The descriptor itself; one thread writes it, before the library counts as
 * started.
 */
#include "descriptor.h"

#include "status.h"

#include <hotpatch/descriptor.h>

struct hotpatch_descriptor hotpatch_descriptor = {
	.magic = HOTPATCH_DESCRIPTOR_MAGIC,
	.layout = HOTPATCH_DESCRIPTOR_LAYOUT,
};

void hp_describe(const char *name, uint64_t value)
{
	struct hotpatch_descriptor_field *field;

	if (hotpatch_descriptor.count == HOTPATCH_DESCRIPTOR_FIELDS)
		return;
	field = &hotpatch_descriptor.fields[hotpatch_descriptor.count++];
	hp_text_copy(field->name, sizeof(field->name), name);
	field->value = value;
}
