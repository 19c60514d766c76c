/* SPDX-License-Identifier: MIT */
/*
 * A shared object as foreign bytes: its headers, judged before anything else is
 * read, and the walk over its notes. Knows nothing of bundles.
 */
#ifndef HP_ELF_FILE_H
#define HP_ELF_FILE_H

#include "note.h"

#include <elf.h>
#include <hotpatch/status.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The first four are the caller's.
 * @object:       what errors call it
 * @header:       copied out, and sound
 * @constructors: functions that the loader would call, without the one of the
 *                start files
 */
struct hp_elf {
	const unsigned char *bytes;
	size_t size;
	const char *object;
	struct hotpatch_error *err;
	Elf64_Ehdr header;
	size_t constructors;
};

/* E_NOT_ELF, E_TRUNCATED, E_MACHINE, E_NOT_BUNDLE. */
enum hotpatch_status hp_elf_read(struct hp_elf *elf);

/* Calls @visit for each note of the file until one is refused; E_NOTE if one
 * does not fit its place. */
enum hotpatch_status
hp_elf_each_note(const struct hp_elf *elf,
		 enum hotpatch_status (*visit)(void *context,
					       const struct hp_note *note),
		 void *context);

enum hotpatch_status hp_elf_refuse(const struct hp_elf *elf,
				   enum hotpatch_status status,
				   const char *what);

#endif
