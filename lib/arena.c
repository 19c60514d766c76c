/* SPDX-License-Identifier: MIT */
/*
 * Records are taken without locks, because the first enter of a thread may
 * happen in a signal handler. Chunk k has 64 << k records; chunks are added
 * and never removed, so a scan needs no protection.
 */
#include "arena.h"

#include "atomic.h"
#include "descriptor.h"

#include <sys/mman.h>

#define FIRST_CHUNK 64
#define CHUNKS 20

_Static_assert(sizeof(struct hp_task) == 64, "a record is one cache line");

static struct hp_task first_chunk[FIRST_CHUNK] __attribute__((aligned(64)));
static struct hp_task_detail first_details[FIRST_CHUNK];
static struct hp_task *chunks[CHUNKS] = {first_chunk};
static struct hp_task_detail *details[CHUNKS] = {first_details};
static size_t used; /* records that were ever taken */

static unsigned int chunk_of(size_t index)
{
	return 63u - (unsigned int)__builtin_clzll(index / FIRST_CHUNK + 1);
}

static size_t offset_in(size_t index, unsigned int chunk)
{
	return index - FIRST_CHUNK * (((size_t)1 << chunk) - 1);
}

struct hp_task *hp_arena_record(size_t index)
{
	unsigned int chunk = chunk_of(index);

	/* Acquire pairs with hp_replace() in chunk_make(). */
	return hp_load_acquire(&chunks[chunk]) + offset_in(index, chunk);
}

struct hp_task_detail *hp_arena_detail(size_t index)
{
	unsigned int chunk = chunk_of(index);

	/* Acquire: likewise. */
	return hp_load_acquire(&details[chunk]) + offset_in(index, chunk);
}

static void *map_zeroed(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Each pointer is replaced once; the acquires above pair with that. Who comes
 * second throws its memory away. */
static bool chunk_make(unsigned int chunk)
{
	size_t records = (size_t)FIRST_CHUNK << chunk;
	void *made;

	if (!hp_load_acquire(&details[chunk])) {
		made = map_zeroed(records * sizeof(struct hp_task_detail));
		if (!made)
			return false;
		if (!hp_replace(&details[chunk], NULL, made))
			munmap(made, records * sizeof(struct hp_task_detail));
	}
	if (!hp_load_acquire(&chunks[chunk])) {
		made = map_zeroed(records * sizeof(struct hp_task));
		if (!made)
			return false;
		if (!hp_replace(&chunks[chunk], NULL, made))
			munmap(made, records * sizeof(struct hp_task));
	}
	return true;
}

/* Pairs with the release in give_back() of task.c. */
static bool claim(size_t index)
{
	return hp_replace(&hp_arena_record(index)->kind, HP_TASK_FREE,
			  HP_TASK_CLAIMED);
}

struct hp_task *hp_arena_take(size_t *index)
{
	for (;;) {
		/* Acquire pairs with the replacement of @used below: the
		 * chunk of a counted record exists. */
		size_t count = hp_load_acquire(&used);
		unsigned int chunk = chunk_of(count);

		for (*index = 0; *index < count; (*index)++)
			if (claim(*index))
				return hp_arena_record(*index);
		if (chunk >= CHUNKS || !chunk_make(chunk))
			return NULL;
		hp_replace(&used, count, count + 1);
	}
}

size_t hp_arena_used(void)
{
	return hp_load_acquire(&used); /* as in hp_arena_take() */
}

size_t hp_arena_bytes(void)
{
	size_t last = hp_load_relaxed(&used); /* a figure for people */
	unsigned int chunk = last ? chunk_of(last - 1) : 0;

	return FIRST_CHUNK * (((size_t)2 << chunk) - 1) *
	       (sizeof(struct hp_task) + sizeof(struct hp_task_detail));
}

void hp_arena_describe(void)
{
	hp_describe_variable("tasks.chunks", chunks);
	hp_describe("tasks.first_chunk", FIRST_CHUNK);
	hp_describe_variable("tasks.used", used);
}
