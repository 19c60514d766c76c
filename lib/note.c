/* SPDX-License-Identifier: MIT */
/*
 * Notes as in the ELF specification: three words, the owner's name and the
 * description, each padded to the segment's alignment. No size is believed
 * before it was compared with what is left.
 */
#include "note.h"

#include <elf.h>
#include <string.h>

/* Where a note's next part begins: @offset, rounded up, within @left. */
static size_t round_up(size_t offset, size_t alignment, size_t left)
{
	size_t up = (offset + alignment - 1) & ~(alignment - 1);

	return up < left ? up : left;
}

bool hp_note_next(struct hp_note_walk *walk, struct hp_note *note)
{
	size_t alignment = walk->alignment == 8 ? 8 : 4;
	size_t start;
	Elf64_Nhdr head;

	if (walk->left < sizeof(head))
		return false;
	memcpy(&head, walk->at, sizeof(head));
	if (head.n_namesz > walk->left - sizeof(head))
		return false;
	start = round_up(sizeof(head) + head.n_namesz, alignment, walk->left);
	if (head.n_descsz > walk->left - start)
		return false;
	note->owner = (const char *)walk->at + sizeof(head);
	note->owner_size = head.n_namesz;
	note->type = head.n_type;
	note->bytes = walk->at + start;
	note->size = head.n_descsz;
	start = round_up(start + head.n_descsz, alignment, walk->left);
	walk->at += start;
	walk->left -= start;
	return true;
}

bool hp_note_is(const struct hp_note *note, const char *owner, uint32_t type)
{
	return note->type == type && note->owner_size == strlen(owner) + 1 &&
	       !memcmp(note->owner, owner, note->owner_size);
}

bool hp_note_split(const struct hp_note *note, size_t head, const char **texts,
		   size_t count)
{
	const unsigned char *at = note->bytes + head;
	const unsigned char *end;
	size_t left;
	size_t i;

	if (note->size < head)
		return false;
	left = note->size - head;
	for (i = 0; i < count; i++) {
		end = memchr(at, '\0', left);
		if (!end)
			return false;
		texts[i] = (const char *)at;
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	for (i = 0; i < left; i++)
		if (at[i])
			return false;
	return left < 4;
}

bool hp_note_build_id(const struct hp_note *note,
		      char build_id[HOTPATCH_BUILD_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	if (!note->size || note->size > (HOTPATCH_BUILD_ID_SIZE - 1) / 2)
		return false;
	for (i = 0; i < note->size; i++) {
		build_id[2 * i] = digits[note->bytes[i] >> 4];
		build_id[2 * i + 1] = digits[note->bytes[i] & 15];
	}
	build_id[2 * i] = '\0';
	return true;
}
