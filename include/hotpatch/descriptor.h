/* SPDX-License-Identifier: MIT */
/*
 * For debuggers: where the library keeps what it knows, readable in a live
 * process and in a core dump, without debug information. The layout of the two
 * structures is fixed; the fields describe everything else by name, so a
 * reader asks for the names that it knows and ignores the others.
 */
#ifndef HOTPATCH_DESCRIPTOR_H
#define HOTPATCH_DESCRIPTOR_H

#include <hotpatch/api.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

#define HOTPATCH_DESCRIPTOR_MAGIC "hotpatch"
#define HOTPATCH_DESCRIPTOR_LAYOUT 1
#define HOTPATCH_DESCRIPTOR_FIELDS 64

/**
 * struct hotpatch_descriptor_field - one fact
 * @name:  "patches" for a variable, "patch.next" for a member, "patch.size"
 *         for the size of a structure; NUL-terminated
 * @value: an address, an offset or a size, in bytes
 */
struct hotpatch_descriptor_field {
	char name[24];
	uint64_t value;
};

/**
 * struct hotpatch_descriptor - all facts
 * @magic:  HOTPATCH_DESCRIPTOR_MAGIC
 * @layout: HOTPATCH_DESCRIPTOR_LAYOUT
 * @count:  how many fields are filled
 */
struct hotpatch_descriptor {
	char magic[12];
	uint32_t layout;
	uint32_t count;
	uint32_t reserved;
	struct hotpatch_descriptor_field fields[HOTPATCH_DESCRIPTOR_FIELDS];
};

/* Filled when the library starts; never changed after. */
extern HOTPATCH_API struct hotpatch_descriptor hotpatch_descriptor;

HOTPATCH_END_DECLS

#endif
