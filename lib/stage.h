/* SPDX-License-Identifier: MIT */
/*
 * The stages of a change, from the first callback to the last; the transition
 * is the middle one. Owns which callback is due in each, not how it is run and
 * not how tasks are moved. While a change is open no other may begin.
 *
 * Functions want the engine's lock unless they say otherwise; those that run
 * callbacks release it meanwhile and have it again when they return.
 */
#ifndef HP_STAGE_H
#define HP_STAGE_H

#include <hotpatch/status.h>
#include <stdint.h>

enum hp_stage {
	HP_STAGE_NONE,
	HP_STAGE_OPENING, /* callbacks before anything is visible */
	HP_STAGE_MOVING,  /* the tasks move */
	HP_STAGE_CLOSING, /* callbacks afterwards, by whoever comes by */
};
enum hp_stage hp_stage_now(void);

/* The patches that take part are marked as changing, with what is wanted. */
void hp_stage_open(void);
/* Runs prepare and before_revert. E_PREPARE if one refuses. */
enum hotpatch_status hp_stage_run_opening(struct hotpatch_error *err);
/* The tasks begin to move. */
void hp_stage_moves(void);
/* Runs the migrations of a rendezvous. */
void hp_stage_migrate(void);
/* All have moved, or none had to: closes at once if no callback is owed. Also
 * called in a task's safe point. */
void hp_stage_settled(void);
/* Runs what is owed, if nobody else does, and closes. Not under the lock. */
void hp_stage_finish(void);
/* The number of the change that was opened last, and waiting until that one is
 * closed, whoever runs what it owes; the latter not under the lock. */
uint64_t hp_stage_number(void);
void hp_stage_await(uint64_t number);

/* In the child of a fork. */
void hp_stage_fork_child(void);

#endif
