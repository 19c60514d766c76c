/* SPDX-License-Identifier: MIT */
/*
 * Which images a stack has code of. The table is read without a lock, in safe
 * points.
 */
#include "held.h"

#include "atomic.h"

#include <stddef.h>

struct image_range {
	uintptr_t start;
	uintptr_t stop;
};

static struct image_range images[HP_HELD_LIMIT];
static size_t images_used;

/* The images among @count that @word points into. */
static uint64_t images_with(uintptr_t word, size_t count)
{
	uint64_t held = 0;
	uintptr_t start;
	size_t i;

	for (i = 0; i < count; i++) {
		/* Relaxed: an entry that changes now is of code that is not on
		 * the stack of who looks. */
		start = hp_load_relaxed(&images[i].start);
		if (word - start < hp_load_relaxed(&images[i].stop) - start)
			held |= (uint64_t)1 << (i % 64);
	}
	return held;
}

/*
 * No sanitizer: words of other frames are read, among them the
 * red zones around variables, and variables that other threads write; none of
 * those is a return address of this thread.
 */
__attribute__((no_sanitize("address", "thread"))) uint64_t
hp_held_below(const void *frame)
{
	/* Acquire pairs with hp_held_add(): counted entries are
	 * written. */
	size_t count = hp_load_acquire(&images_used);
	const uintptr_t *word = __builtin_frame_address(0);
	const uintptr_t *stop = frame;
	uint64_t held = 0;

	while (count && word < stop)
		held |= images_with(*word++, count);
	return held;
}

int hp_held_add(uintptr_t start, uintptr_t stop)
{
	size_t i = 0;

	while (i < images_used && images[i].start)
		i++;
	if (i == HP_HELD_LIMIT)
		return -1;
	/* Relaxed: a task that can have this image on its stack got there
	 * through a target that is stored later, with release. */
	hp_store_relaxed(&images[i].start, start);
	hp_store_relaxed(&images[i].stop, stop);
	if (i == images_used)
		/* Release: pairs with hp_held_below(). */
		hp_store_release(&images_used, i + 1);
	return (int)i;
}

void hp_held_remove(int index)
{
	/* Relaxed: nobody is in that image any more. */
	hp_store_relaxed(&images[index].stop, 0);
	hp_store_relaxed(&images[index].start, 0);
	while (images_used && !images[images_used - 1].start)
		hp_store_relaxed(&images_used, images_used - 1);
}
