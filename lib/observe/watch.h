/* SPDX-License-Identifier: MIT */
/*
 * Handing events on from the ring to those who want them, one thread at a
 * time, in order, with none of the engine's locks held.
 */
#ifndef HP_OBSERVE_WATCH_H
#define HP_OBSERVE_WATCH_H

#include <hotpatch/observe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @take:   says how many of the @count events it took; those that it did not
 *          come again, with the next that is handed on
 * @cursor: sequence of the last event that was taken
 * @gone:   stopped from inside a callback; freed when that is over
 */
struct hp_sink {
	struct hp_sink *next;
	size_t (*take)(struct hp_sink *sink,
		       const struct hotpatch_event *events, size_t count);
	uint64_t cursor;
	bool gone;
};

/* Gets the events from now on. E_IN_CALLBACK. Made by malloc(): whoever stops
 * it gives it away. */
enum hotpatch_status hp_watch_add(struct hp_sink *sink,
				  struct hotpatch_error *err);
/* Frees @sink, at once or when the callback that asks is over. */
void hp_watch_remove(struct hp_sink *sink);

/* Does nothing quickly if there is nobody or nothing new. */
void hp_watch_deliver(void);

/* True in a thread that hands on. */
bool hp_watch_in_callback(void);

/* The child gets its own events only; others of its threads are not there. */
void hp_watch_fork_child(void);

#endif
