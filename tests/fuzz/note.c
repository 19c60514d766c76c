/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the walk over ELF notes. The input is a segment of notes and a byte
 * that chooses the alignment that the segment claims and how it lies in memory.
 */
#include "../../lib/note.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A note lies in what was left before, and the walk comes nearer to its end. */
static void check(const struct hp_note *note, const struct hp_note_walk *before,
		  const struct hp_note_walk *after)
{
	const unsigned char *end = before->at + before->left;
	const unsigned char *owner = (const unsigned char *)note->owner;
	char build_id[HOTPATCH_BUILD_ID_SIZE] = "";

	require(owner >= before->at && note->bytes >= owner);
	require(note->owner_size <= (size_t)(end - owner));
	require(note->size <= (size_t)(end - note->bytes));
	require(after->left < before->left);
	require(after->at + after->left == end);
	hp_note_is(note, "GNU", note->type);
	if (hp_note_build_id(note, build_id))
		require(strlen(build_id) == 2 * note->size);
	else
		require(!*build_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_note_walk walk = {0};
	struct hp_note_walk before;
	struct hp_note note;
	unsigned char *bytes;
	size_t shift;

	if (!size)
		return 0;
	size--;
	shift = data[size] >> 6;
	walk.alignment = data[size] & 0x3f;
	walk.left = size;
	/* Of its own size, so that a read past its end is seen. */
	bytes = malloc(shift + size + !size);
	if (!bytes)
		return 0;
	memcpy(bytes + shift, data, size);
	walk.at = bytes + shift;
	for (before = walk; hp_note_next(&walk, &note); before = walk)
		check(&note, &before, &walk);
	free(bytes);
	return 0;
}
