/* SPDX-License-Identifier: MIT */
/*
 * A transition that does not drain: the deadline and its policies. Wants the
 * engine's lock.
 */
#ifndef HP_STALL_H
#define HP_STALL_H

#include <hotpatch/patch.h>
#include <stdbool.h>

/* Gives back the records of threads that ended without a word, as after a raw
 * exit system call. */
void hp_stall_reclaim_dead(void);

/* The deadline passed. */
void hp_stall_strike(enum hotpatch_policy policy, bool adopt);

#endif
