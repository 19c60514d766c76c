/* SPDX-License-Identifier: MIT */
/*
 * The sizes of waves, as a text says them.
 */
#ifndef HP_ROLLOUT_WAVES_H
#define HP_ROLLOUT_WAVES_H

#include <stdbool.h>

/* Where in the text of the sizes the next wave's is. */
struct hp_waves {
	const char *next;
	unsigned int count; /* of all instances */
	unsigned int size;  /* of the wave before, repeated at the end */
};

/* Is it a list of numbers above 0, and of percentages up to 100? */
bool hp_waves_are_valid(const char *text);

/* The size of the next wave: how many of at least one that are @left. */
unsigned int hp_waves_next(struct hp_waves *waves, unsigned int left);

#endif
