/* SPDX-License-Identifier: MIT */
/*
 * The rendezvous: a moment at which no task is in a section, had by letting
 * tasks wait where they enter and at their safe points. Owns the gate and who
 * waits at it. Knows tasks and views, not patches.
 */
#ifndef HP_RENDEZVOUS_H
#define HP_RENDEZVOUS_H

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stdint.h>

#define HP_RENDEZVOUS_MS 100 /* unless the caller says otherwise */

/*
 * Closes the gate, tells so in an event of @patch, and waits until no task is
 * in a section, at most @timeout_ms. Wants the engine's lock, which is released
 * while it waits. On success the gate is closed and hp_rendezvous_open() is
 * owed; on failure it is open. E_RENDEZVOUS, naming a task that was late;
 * E_UNSUPPORTED.
 */
enum hotpatch_status hp_rendezvous_gather(const char *patch,
					  unsigned int timeout_ms,
					  struct hotpatch_error *err);
/* Wants the engine's lock. */
void hp_rendezvous_open(void);

/* For a task that has announced a view: must it take it back and wait? Never
 * true in the thread that closed the gate. Any context. */
bool hp_rendezvous_is_on(void);

/* Waits until the gate may be open again. The caller is at rest, and between
 * its arrival and its departure. Keeps errno; async-signal-safe. */
void hp_rendezvous_wait(void);
void hp_rendezvous_arrive(void);
void hp_rendezvous_depart(void);

/* In the child of a fork: who waited is not here. */
void hp_rendezvous_fork_child(void);

/* Takes the engine's lock at a moment when the gate is open, or closed by the
 * calling thread: fork() shall not copy half a migration. */
void hp_rendezvous_lock_open(void);

#endif
