/* SPDX-License-Identifier: MIT */
/*
 * Pieces of memory for trampolines, each near the modules that it serves, with
 * the targets behind the code. A piece is given back whole. Guarded by the lock
 * of redirect.c.
 */
#ifndef HP_REDIRECT_CHUNK_H
#define HP_REDIRECT_CHUNK_H

#include "space.h"

#include <hotpatch/status.h>

#define HP_CHUNK_PLACE ((size_t)64) /* bytes of code */
#define HP_CHUNK_CODE ((size_t)65536)
#define HP_CHUNK_DATA ((size_t)8192)
#define HP_CHUNK_SIZE (HP_CHUNK_CODE + HP_CHUNK_DATA)
#define HP_CHUNK_COUNT (HP_CHUNK_CODE / HP_CHUNK_PLACE)

struct hp_description;

/*
 * @used:    places that are taken. The first holds the address of
 * hotpatch_dispatch
 * @written: of these, those whose code is written
 * @pending: the code of the others; NULL if there are none
 * @image:   what held.h knows it as; -1 for nothing
 * @lasting: one of its trampolines calls, so its address may be anywhere
 * @gone:    first generation from which nobody gets there; 0 while somebody may
 * @descriptions: for unwinders
 */
struct hp_chunk {
	struct hp_chunk *next;
	uintptr_t start;
	size_t used;
	size_t written;
	uint8_t *pending;
	int image;
	bool lasting;
	uint64_t gone;
	struct hp_description *descriptions;
};

struct hp_chunk *hp_chunk_first(void);

/* The one that @code lies in, or NULL. */
struct hp_chunk *hp_chunk_of(uintptr_t code);

/* One with a free place that @near can reach, or NULL. */
struct hp_chunk *hp_chunk_find(uintptr_t near);

/* A new one there. E_NO_ROOM, E_TEXT, E_NO_MEMORY. */
enum hotpatch_status hp_chunk_take(struct hp_space *space, uintptr_t near,
				   struct hp_chunk **result);

/* Without descriptions, and nobody is in it. */
void hp_chunk_give_back(struct hp_space *space, struct hp_chunk *chunk);

/* Where the code of the next place is put together; NULL without memory. */
uint8_t *hp_chunk_next_code(struct hp_chunk *chunk);

/* Writes what was put together in any of them; false with errno. */
bool hp_chunks_write(const struct hp_space *space);

/* Forgets what was, in places that were given up. */
void hp_chunks_abandon(void);

#endif
