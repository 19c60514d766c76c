/* SPDX-License-Identifier: MIT */
/*
 * Modules that come and go without a word, and the patches that redirect
 * functions of them. One thread at a time, without a lock; see patches.c, which
 * owns what patches hold.
 */
#ifndef HP_REDIRECT_FOLLOW_H
#define HP_REDIRECT_FOLLOW_H

#include "find.h"

#include <stdbool.h>

/* The first of all hosts, for a walk without the lock: they are never freed. */
struct hp_host *hp_follow_first_host(void);

/* Forgets what was redirected in modules that are gone; false if a change is
 * open and it has to be tried again. */
bool hp_follow_lost(void);

/* The same, and redirects what patches want of modules that came, if the loader
 * has counted anything since the last time. */
void hp_follow_modules(void);

/* Notes where the functions of a batch that is done are; under the engine's
 * lock. */
void hp_redirects_note(const struct hp_finding *finding);
/* Something is to be given back; under the engine's lock. */
void hp_redirects_due(void);

#endif
