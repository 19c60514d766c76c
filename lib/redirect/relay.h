/* SPDX-License-Identifier: MIT */
/*
 * The pages for relays, and which of their bytes are taken.
 */
#ifndef HP_REDIRECT_RELAY_H
#define HP_REDIRECT_RELAY_H

#include "space.h"

struct hp_relay {
	uintptr_t start; /* 0 for none */
	uint8_t size;
};

/* Finds @size free bytes that begin between @low and @high, in a page that is
 * here already or in a new one. False for none. */
bool hp_relay_take(struct hp_space *space, uintptr_t low, uintptr_t high,
		   size_t size, struct hp_relay *relay);

/* What is placed there; it is written by hp_relay_write() at last. False with
 * errno. */
bool hp_relay_put(const struct hp_space *space, const struct hp_relay *relay,
		  const void *bytes);

/* Around a batch that may need relays for @functions: all that were put are
 * written, false with errno; or, when they were given back, forgotten. */
void hp_relay_begin(size_t functions);
bool hp_relay_write(const struct hp_space *space);
void hp_relay_abandon(void);

/* In which nobody is. A page that then has none goes with the last one. */
void hp_relay_give_back(struct hp_space *space, struct hp_relay *relay);

/* What all of the pages take of the address space. */
size_t hp_relay_bytes(void);

#endif
