/* SPDX-License-Identifier: MIT */
/*
 * The ring of phases that were passed. Written without locks, so that also a
 * signal handler may write; read by cursor.
 */
#ifndef HP_EVENT_H
#define HP_EVENT_H

#include <hotpatch/event.h>
#include <stdint.h>

/* @patch and @object may be NULL. */
void hp_event(enum hotpatch_phase phase, enum hotpatch_status status,
	      const char *patch, const char *object);

/* An event about a thread, its id as the object. */
void hp_event_thread(enum hotpatch_phase phase, int thread);

#define HP_PHASE_ONE_(name, text) +1
#define HP_PHASES (0 HOTPATCH_PHASE_MAP(HP_PHASE_ONE_))

/* The sequence number given out last. */
uint64_t hp_event_last(void);

/* How often since the process began; refusals by their status. */
uint64_t hp_event_count(enum hotpatch_phase phase);
uint64_t hp_event_refusals(enum hotpatch_status status);

/* How long something took, as counts and sums since the process began. */
enum hp_duration {
	HP_OPENING,
	HP_DRAINING,
	HP_UNMAPPING,
	HP_DURATIONS,
};
void hp_event_duration(enum hp_duration kind, uint64_t us);
void hp_event_durations(enum hp_duration kind, uint64_t *count,
			uint64_t *sum_us);

/*
 * Has a byte count written to an eventfd at each event from now on, and gives
 * that descriptor, -1 if none could be had. Several may watch it with EPOLLET;
 * nobody reads it. The other gives it if there is one.
 */
int hp_event_announce(void);
int hp_event_bell(void);
void hp_event_fork_child(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t hp_now_ns(void);

#endif
