/* SPDX-License-Identifier: MIT */
/*
 * An object as the dynamic loader mapped it, and the comparison of the records
 * in it with the manifest of the file. Nothing in them is followed before it is
 * known to lie in the object.
 */
#ifndef HP_MAPPING_H
#define HP_MAPPING_H

#include "manifest.h"

#include <hotpatch/bundle.h>
#include <hotpatch/status.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which mapped object is looked for, and where it lies. */
struct hp_mapping {
	const char *path;
	bool found;
	uintptr_t base;
	const ElfW(Phdr) *segments; /* valid while it is mapped */
	size_t segment_count;
	uintptr_t start;
	uintptr_t stop;
};

/* True if @size bytes at @place lie in one segment that has all @flags. */
bool hp_mapping_has(const struct hp_mapping *mapping, uintptr_t place,
		    size_t size, ElfW(Word) flags);

/* True if a text begins at @text and ends before its segment does. */
bool hp_mapping_has_text(const struct hp_mapping *mapping, const char *text);

/* E_SWAPPED if the tables of replacements, callbacks, imports and exports
 * are not those of the file; E_NO_MEMORY. */
enum hotpatch_status hp_records_check(const struct hp_mapping *mapping,
				      const struct hotpatch_bundle *bundle,
				      const struct hp_manifest *manifest,
				      struct hotpatch_error *err);

/* The loaded record of the manifest's import @index, or NULL. */
struct hotpatch_import *hp_import_record(const struct hotpatch_bundle *bundle,
					 const struct hp_manifest *manifest,
					 size_t index);

#endif
