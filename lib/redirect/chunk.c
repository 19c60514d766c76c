/* SPDX-License-Identifier: MIT */
/*
 * The code of a batch is put together apart and written at once.
 */
#include "chunk.h"

#include "../engine.h"
#include "../held.h"
#include "../arch/jump.h"

#include <errno.h>
#include <hotpatch/function.h>
#include <stdlib.h>
#include <sys/mman.h>

_Static_assert(HP_CHUNK_COUNT * sizeof(void *) <= HP_CHUNK_DATA, "layout");

static struct hp_chunk *chunks;

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : b - a;
}

/* Writes the address of hotpatch_dispatch and makes the targets writable. */
static bool begin_chunk(const struct hp_space *space, uintptr_t start)
{
	uintptr_t dispatch = (uintptr_t)hotpatch_dispatch;

	return hp_space_write(space, start, &dispatch, sizeof(dispatch)) &&
	       mprotect((void *)(start + HP_CHUNK_CODE), HP_CHUNK_DATA,
			PROT_READ | PROT_WRITE) == 0;
}

/* A task that adopts a view from code that was called in there is seen. */
static void enlist(struct hp_chunk *chunk)
{
	hp_engine_lock();
	chunk->image = hp_held_add(chunk->start, chunk->start + HP_CHUNK_CODE);
	hp_engine_unlock();
	chunk->next = chunks;
	chunks = chunk;
}

static void delist(struct hp_chunk *chunk)
{
	struct hp_chunk **place = &chunks;

	while (*place != chunk)
		place = &(*place)->next;
	*place = chunk->next;
	hp_engine_lock();
	if (chunk->image >= 0)
		hp_held_remove(chunk->image);
	hp_engine_unlock();
}

enum hotpatch_status hp_chunk_take(struct hp_space *space, uintptr_t near,
				   struct hp_chunk **result)
{
	uintptr_t low = near > HP_JUMP_REACH ? near - HP_JUMP_REACH : 0;
	struct hp_chunk *chunk = calloc(1, sizeof(*chunk));
	int cause;

	if (!chunk)
		return HOTPATCH_E_NO_MEMORY;
	chunk->used = 1;
	chunk->written = 1;
	chunk->start = hp_space_take(space, low, near + HP_JUMP_REACH, near,
				     HP_CHUNK_SIZE, NULL);
	if (!chunk->start) {
		free(chunk);
		return hp_space_failure(space);
	}
	if (!begin_chunk(space, chunk->start)) {
		cause = errno;
		hp_space_give_back(space, chunk->start, HP_CHUNK_SIZE);
		free(chunk);
		errno = cause;
		return HOTPATCH_E_TEXT;
	}
	enlist(chunk);
	*result = chunk;
	return HOTPATCH_OK;
}

void hp_chunk_give_back(struct hp_space *space, struct hp_chunk *chunk)
{
	delist(chunk);
	hp_space_give_back(space, chunk->start, HP_CHUNK_SIZE);
	free(chunk->pending);
	free(chunk);
}

struct hp_chunk *hp_chunk_first(void)
{
	return chunks;
}

struct hp_chunk *hp_chunk_of(uintptr_t code)
{
	struct hp_chunk *chunk = chunks;

	while (chunk && code - chunk->start >= HP_CHUNK_CODE)
		chunk = chunk->next;
	return chunk;
}

struct hp_chunk *hp_chunk_find(uintptr_t near)
{
	struct hp_chunk *chunk = chunks;

	while (chunk && (chunk->used == HP_CHUNK_COUNT ||
			 distance(chunk->start, near) > HP_JUMP_REACH))
		chunk = chunk->next;
	return chunk;
}

uint8_t *hp_chunk_next_code(struct hp_chunk *chunk)
{
	if (!chunk->pending)
		chunk->pending = malloc(HP_CHUNK_CODE);
	return chunk->pending ? chunk->pending + chunk->used * HP_CHUNK_PLACE :
				NULL;
}

static bool write_chunk(const struct hp_space *space, struct hp_chunk *chunk)
{
	size_t from = chunk->written * HP_CHUNK_PLACE;
	size_t to = chunk->used * HP_CHUNK_PLACE;

	if (to > from && !hp_space_write(space, chunk->start + from,
					 chunk->pending + from, to - from))
		return false;
	free(chunk->pending);
	chunk->pending = NULL;
	chunk->written = chunk->used;
	return true;
}

bool hp_chunks_write(const struct hp_space *space)
{
	struct hp_chunk *chunk = chunks;

	while (chunk && (!chunk->pending || write_chunk(space, chunk)))
		chunk = chunk->next;
	return !chunk;
}

void hp_chunks_abandon(void)
{
	struct hp_chunk *chunk;

	for (chunk = chunks; chunk; chunk = chunk->next) {
		free(chunk->pending);
		chunk->pending = NULL;
		if (chunk->written > chunk->used)
			chunk->written = chunk->used;
	}
}
