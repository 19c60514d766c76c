/* SPDX-License-Identifier: MIT */
/*
 * The bounded walk over ELF notes, in a file's bytes or in mapped memory.
 */
#ifndef HP_NOTE_H
#define HP_NOTE_H

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One ELF note; it points into the bytes that are walked. */
struct hp_note {
	const char *owner; /* not always terminated */
	size_t owner_size;
	uint32_t type;
	const unsigned char *bytes; /* the description */
	size_t size;
};

/* A walk over the notes of one segment, @left bytes of them yet to come. */
struct hp_note_walk {
	const unsigned char *at;
	size_t left;
	size_t alignment; /* p_align of the segment */
};

/* Takes the next note; false at the end, and then @left is not 0 if the rest
 * is no note. */
bool hp_note_next(struct hp_note_walk *walk, struct hp_note *note);
bool hp_note_is(const struct hp_note *note, const char *owner, uint32_t type);

/* Splits what follows the head of @head bytes into exactly @count texts; false
 * if it is anything else, apart from zeros that pad it. */
bool hp_note_split(const struct hp_note *note, size_t head, const char **texts,
		   size_t count);

/* Writes the note's description as lower-case hexadecimal; false if it is
 * empty or does not fit. */
bool hp_note_build_id(const struct hp_note *note,
		      char build_id[HOTPATCH_BUILD_ID_SIZE]);

#endif
