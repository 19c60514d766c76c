/* SPDX-License-Identifier: MIT */
/*
 * The list of those who want events, and their turns. Whoever has events to
 * hand on adds one to a count. Who finds it at zero does the work, for
 * everybody, until nobody has come meanwhile; so no event is forgotten, and
 * nobody waits for somebody else's callback.
 */
#include "watch.h"

#include "../atomic.h"
#include "../engine.h"
#include "../event.h"
#include "../status.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define BATCH 32

struct hotpatch_watch {
	struct hp_sink sink;
	void (*callback)(const struct hotpatch_event *event, void *argument);
	void *argument;
};

/* Guards the list and the cursors, and is held while events are handed on.
 * Comes before every other lock: callbacks look at the engine. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hp_sink *sinks; /* also looked at without the lock, for NULL */
static uint32_t wanted;	      /* who came since somebody began */
static __thread bool inside __attribute__((tls_model("initial-exec")));

bool hp_watch_in_callback(void)
{
	return inside;
}

/* False if the sink has enough for now. */
static bool hand_on(struct hp_sink *sink)
{
	struct hotpatch_event events[BATCH];
	size_t count = hotpatch_event_read(sink->cursor, events, BATCH);
	size_t taken;

	if (!count || sink->gone)
		return false;
	taken = sink->take(sink, events, count);
	/* A fork inside the callback moved it on. */
	if (taken && events[taken - 1].sequence > sink->cursor)
		sink->cursor = events[taken - 1].sequence;
	return taken == count;
}

static void bury(void)
{
	struct hp_sink **place = &sinks;
	struct hp_sink *sink;

	while ((sink = *place)) {
		if (!sink->gone) {
			place = &sink->next;
			continue;
		}
		/* Relaxed: readers without the lock look for NULL alone. */
		hp_store_relaxed(place, sink->next);
		free(sink);
	}
}

static void hand_on_to_all(void)
{
	struct hp_sink *sink;

	pthread_mutex_lock(&lock);
	inside = true;
	for (sink = sinks; sink; sink = sink->next)
		while (hand_on(sink))
			;
	inside = false;
	bury();
	pthread_mutex_unlock(&lock);
}

void hp_watch_deliver(void)
{
	uint32_t seen;

	/* Relaxed: who was added this moment gets its events next time. */
	if (!hp_load_relaxed(&sinks) || inside)
		return;
	/* Fenced pairs with the replacement below: either this thread finds
	 * nobody at work, or who is finds that it came, and its event. */
	if (hp_add_fenced(&wanted, 1) != 0)
		return;
	do {
		/* Fenced: see above. */
		seen = hp_load_fenced(&wanted);
		hand_on_to_all();
		/* Pairs with the addition above. */
	} while (!hp_replace(&wanted, seen, 0));
}

enum hotpatch_status hp_watch_add(struct hp_sink *sink,
				  struct hotpatch_error *err)
{
	if (inside)
		return hp_error(err, HOTPATCH_E_IN_CALLBACK, 0, "caller",
				"whoever is told of an event cannot start to "
				"watch");
	hp_event_announce();
	sink->cursor = hp_event_last();
	sink->gone = false;
	pthread_mutex_lock(&lock);
	sink->next = sinks;
	/* Relaxed: what is in it is read under the lock. */
	hp_store_relaxed(&sinks, sink);
	pthread_mutex_unlock(&lock);
	/* A control server learns that it has something to watch. */
	hp_engine_lock();
	hp_engine_wake();
	hp_engine_unlock();
	return HOTPATCH_OK;
}

void hp_watch_remove(struct hp_sink *sink)
{
	if (!inside)
		pthread_mutex_lock(&lock);
	sink->gone = true;
	if (inside)
		return;
	bury();
	pthread_mutex_unlock(&lock);
}

void hp_watch_fork_child(void)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
	struct hp_sink *sink;

	if (!inside)
		lock = fresh;
	wanted = inside;
	for (sink = sinks; sink; sink = sink->next)
		sink->cursor = hp_event_last();
}

static size_t call_back(struct hp_sink *sink,
			const struct hotpatch_event *events, size_t count)
{
	struct hotpatch_watch *watch = (struct hotpatch_watch *)sink;
	size_t i;

	for (i = 0; i < count && !sink->gone; i++)
		watch->callback(&events[i], watch->argument);
	return count;
}

enum hotpatch_status hotpatch_watch_start(
	void (*callback)(const struct hotpatch_event *event, void *argument),
	void *argument, struct hotpatch_watch **watch,
	struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_engine_check(err);
	struct hotpatch_watch *made;

	if (status)
		return status;
	if (!callback || !watch)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "callback",
				"the callback or the place for the watch is "
				"missing");
	made = calloc(1, sizeof(*made));
	if (!made)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "watch",
				"no memory to watch events");
	made->sink.take = call_back;
	made->callback = callback;
	made->argument = argument;
	status = hp_watch_add(&made->sink, err);
	if (status)
		free(made);
	else
		*watch = made;
	return status;
}

void hotpatch_watch_stop(struct hotpatch_watch *watch)
{
	if (watch)
		hp_watch_remove(&watch->sink);
}
