/* SPDX-License-Identifier: MIT */
/*
 * The address ranges of loaded images, for the look at the own stack when a
 * safe point adopts a view. Owns the table, not the records that keep what was
 * found.
 */
#ifndef HP_HELD_H
#define HP_HELD_H

#include <stdint.h>

#define HP_HELD_LIMIT 1024

/*
 * An entry is written before the image's code can run and cleared after it is
 * unreachable. Serialised by the engine's lock. -1: the table is full.
 */
int hp_held_add(uintptr_t start, uintptr_t stop);
void hp_held_remove(int index);

/* The images with code on the own stack, from here to @frame, as bits of their
 * index modulo 64. Async-signal-safe. */
uint64_t hp_held_below(const void *frame);

#endif
