/* SPDX-License-Identifier: MIT */
/*
 * Changing the code of a module while it runs. The pages in question are
 * mapped a second time from their file, the copy is changed where nobody can be
 * in it, and mremap() puts it in the place of the first in one step.
 */
#ifndef HP_REDIRECT_TEXT_H
#define HP_REDIRECT_TEXT_H

#include "space.h"

#include <hotpatch/status.h>

#define HP_EDIT_SIZE 9 /* one short instruction and a jump */

/* @size bytes at @address become @bytes. */
struct hp_edit {
	uintptr_t address;
	uint8_t size;
	uint8_t bytes[HP_EDIT_SIZE];
};

/* The copy of the pages from @start on, before it is put in their place. */
struct hp_text {
	uintptr_t start;
	uintptr_t copy;
	size_t size;
};

/*
 * Prepares the copy with the @count @edits, which are in one module, loaded
 * from the file at @path, and in the order of their addresses. E_FOREIGN if
 * they do not lie in plain mappings of it; E_TEXT, with errno.
 */
enum hotpatch_status hp_text_prepare(const struct hp_space *space,
				     const char *path,
				     const struct hp_edit *edits, size_t count,
				     struct hp_text *text,
				     struct hotpatch_error *err);

/* Makes all edits visible at once. On failure, E_TEXT, none is; in either case
 * the copy is gone. */
enum hotpatch_status hp_text_commit(struct hp_text *text, const char *path,
				    struct hotpatch_error *err);
void hp_text_abandon(struct hp_text *text);

#endif
