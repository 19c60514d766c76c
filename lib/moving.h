/* SPDX-License-Identifier: MIT */
/*
 * The patches that are marked as moving: what the transition asks them and
 * writes to them together. Everything here wants the engine's lock.
 */
#ifndef HP_MOVING_H
#define HP_MOVING_H

#include "slot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The newest binding of @slot whose patch moves, or NULL. */
struct hp_binding *hp_moving_first(const struct hotpatch_slot *slot);

/* The changed slots, each once; only counts them if @slots is NULL. */
size_t hp_moving_slots(struct hotpatch_slot **slots);

/* True if none of them wants more than each call's newest. */
bool hp_moving_is_immediate(void);

/* Forgets how their last transition ended. */
void hp_moving_clear_reasons(void);

/* They have been moving, as people are told, since then. */
void hp_moving_since(uint64_t now_ns);

/* What is on on the one side changes places with the other. */
void hp_moving_turn(void);

#endif
