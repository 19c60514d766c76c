/* SPDX-License-Identifier: MIT */
/*
 * Giving back the memory behind functions that have their own bytes again.
 */
#ifndef HP_REDIRECT_RECLAIM_H
#define HP_REDIRECT_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>

/* Functions were released, so there may be something. Under no lock. */
void hp_reclaim_due(void);

/* Is it worth calling the next one now? Under the engine's lock. */
bool hp_reclaim_is_due(void);

/* Gives back what can be, by one thread at a time; under no lock. */
void hp_reclaim(void);

/* Is something tried often, that one should not sleep for long? Under the
 * engine's lock. */
bool hp_reclaim_is_near(void);

/* Counts what there is anew; under the lock of redirect.c. */
void hp_reclaim_count(void);

#endif
