/* SPDX-License-Identifier: MIT */
/*
 * Why no thread sees a half-written instruction: mremap() takes the old pages
 * away and puts the new ones there under the lock of the address space, which a
 * thread that fetches an instruction meanwhile waits for in its page fault.
 * Taking pages away interrupts every CPU that may know them, so each of them
 * fetches anew. It makes no difference how many bytes change, and whether
 * they cross a line of the cache; and all changes of one module appear
 * together.
 *
 * The kernel replaces a page in this way, too, when it sets a breakpoint in a
 * running program (uprobes). Nothing is ever writable and executable: the copy
 * is mapped as code is, and written through /proc.
 */
#include "text.h"

#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum hotpatch_status refuse(enum hotpatch_status status,
				   const char *path, const char *what,
				   struct hotpatch_error *err)
{
	int cause = status == HOTPATCH_E_TEXT ? errno : 0;

	return hp_error(err, status, cause, path, "%s: %s%s%s", path, what,
			cause ? ": " : "", cause ? strerror(cause) : "");
}

/* Do plain mappings of one file cover the range, in the order of the file? */
static bool find_offset(const struct hp_space *space, uintptr_t start,
			uintptr_t stop, uint64_t *offset)
{
	const struct hp_mapping *mapping = hp_space_find(space, start);
	const struct hp_mapping *end = space->mappings + space->count;
	const struct hp_mapping *first = mapping;

	if (!mapping || !mapping->inode)
		return false;
	*offset = mapping->offset + (start - mapping->start);
	for (; mapping < end; mapping++) {
		if (!mapping->plain_code || mapping->inode != first->inode ||
		    mapping->offset - first->offset !=
			    mapping->start - first->start)
			return false;
		if (mapping->stop >= stop)
			return true;
		if (mapping + 1 == end || mapping[1].start != mapping->stop)
			return false;
	}
	return false;
}

static bool map_copy(const char *path, uint64_t offset, struct hp_text *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat facts;
	void *copy = MAP_FAILED;
	int cause;

	if (fd < 0)
		return false;
	if (fstat(fd, &facts) == 0) {
		errno = ESTALE;
		/* What lies behind the end of a file cannot be read. */
		if ((uint64_t)facts.st_size > offset &&
		    (uint64_t)facts.st_size - offset > text->size - HP_PAGE)
			copy = mmap(NULL, text->size, PROT_READ | PROT_EXEC,
				    MAP_PRIVATE | MAP_POPULATE, fd,
				    (off_t)offset);
	}
	cause = errno;
	close(fd);
	errno = cause;
	text->copy = (uintptr_t)copy;
	return copy != MAP_FAILED;
}

/* Applies the part of the edits that lies in the page at @address. */
static bool apply_edits(unsigned char *page, uintptr_t address,
			const struct hp_edit *edits, size_t count)
{
	bool applied = false;
	uintptr_t at;
	size_t i;
	size_t j;

	for (i = 0; i < count && edits[i].address < address + HP_PAGE; i++) {
		for (j = 0; j < edits[i].size; j++) {
			at = edits[i].address + j;
			if (at < address || at >= address + HP_PAGE)
				continue;
			page[at - address] = edits[i].bytes[j];
			applied = true;
		}
	}
	return applied;
}

/* Others may have changed the code as well: what runs now is what counts. */
static bool fill_copy(const struct hp_space *space, const struct hp_edit *edits,
		      size_t count, const struct hp_text *text)
{
	unsigned char page[HP_PAGE];
	uintptr_t live;
	uintptr_t copy;
	size_t i;

	for (i = 0; i < text->size; i += HP_PAGE) {
		live = text->start + i;
		copy = text->copy + i;
		while (count && edits->address + edits->size <= live) {
			edits++;
			count--;
		}
		memcpy(page, (const void *)live, HP_PAGE);
		if (!apply_edits(page, live, edits, count) &&
		    memcmp(page, (const void *)copy, HP_PAGE) == 0)
			continue;
		if (!hp_space_write(space, copy, page, HP_PAGE))
			return false;
	}
	return true;
}

enum hotpatch_status hp_text_prepare(const struct hp_space *space,
				     const char *path,
				     const struct hp_edit *edits, size_t count,
				     struct hp_text *text,
				     struct hotpatch_error *err)
{
	const struct hp_edit *last = &edits[count - 1];
	uintptr_t stop = (last->address + last->size + HP_PAGE - 1) &
			 ~(HP_PAGE - 1);
	uint64_t offset;

	text->start = edits->address & ~(HP_PAGE - 1);
	text->size = stop - text->start;
	if (!find_offset(space, text->start, stop, &offset))
		return refuse(HOTPATCH_E_FOREIGN, path,
			      "the code is not mapped from the file", err);
	if (!map_copy(path, offset, text))
		return refuse(HOTPATCH_E_TEXT, path,
			      "the file cannot be mapped a second time", err);
	if (fill_copy(space, edits, count, text))
		return HOTPATCH_OK;
	refuse(HOTPATCH_E_TEXT, path, "/proc does not let code be written",
	       err);
	hp_text_abandon(text);
	return HOTPATCH_E_TEXT;
}

enum hotpatch_status hp_text_commit(struct hp_text *text, const char *path,
				    struct hotpatch_error *err)
{
	if (mremap((void *)text->copy, text->size, text->size,
		   MREMAP_MAYMOVE | MREMAP_FIXED,
		   (void *)text->start) == (void *)text->start) {
		__builtin___clear_cache((char *)text->start,
					(char *)text->start + text->size);
		return HOTPATCH_OK;
	}
	refuse(HOTPATCH_E_TEXT, path, "the changed code cannot be put in place",
	       err);
	hp_text_abandon(text);
	return HOTPATCH_E_TEXT;
}

void hp_text_abandon(struct hp_text *text)
{
	munmap((void *)text->copy, text->size);
}
