/* SPDX-License-Identifier: MIT */
/*
 * The ring of phases that were passed. Written without locks, so that also a
 * signal handler may write; read by cursor.
 */
#ifndef HP_EVENT_H
#define HP_EVENT_H

#include <hotpatch/patch.h>
#include <stdint.h>

/* @patch and @object may be NULL. */
void hp_event(enum hotpatch_phase phase, enum hotpatch_status status,
	      const char *patch, const char *object);

/* An event about a thread, its id as the object. */
void hp_event_thread(enum hotpatch_phase phase, int thread);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t hp_now_ns(void);

#endif
