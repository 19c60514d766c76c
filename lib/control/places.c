/* SPDX-License-Identifier: MIT */
/*
 * Who gets one of the server's places: nobody keeps one by being silent, and
 * clients that may only read never take those of the others.
 */
#include "connection.h"

/* Of all places; the others are for those who may change something. */
#define READER_SHARE(count) ((count) / 4 * 3)

static size_t count_readers(const struct hp_connection *connections,
			    size_t count)
{
	size_t readers = 0;
	size_t i;

	for (i = 0; i < count; i++)
		readers += connections[i].fd >= 0 &&
			   connections[i].access == HP_ACCESS_READ;
	return readers;
}

static struct hp_connection *find_free(struct hp_connection *connections,
				       size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (connections[i].fd < 0)
			return &connections[i];
	}
	return NULL;
}

/* The place of whoever has been silent longest, if that is long. Nobody makes
 * room for one who may do less. */
static struct hp_connection *make_room(struct hp_connection *connections,
				       size_t count, enum hp_access access)
{
	struct hp_connection *silent = NULL;
	uint64_t longest_ms = HP_IDLE_MS;
	uint64_t idle_ms;
	size_t i;

	for (i = 0; i < count; i++) {
		if (connections[i].fd < 0 || connections[i].access > access)
			continue;
		idle_ms = hp_connection_idle_ms(&connections[i]);
		if (idle_ms < longest_ms)
			continue;
		longest_ms = idle_ms;
		silent = &connections[i];
	}
	if (silent)
		hp_connection_close(silent);
	return silent;
}

struct hp_connection *hp_places_find(struct hp_connection *connections,
				     size_t count, enum hp_access access)
{
	struct hp_connection *place = NULL;

	if (access != HP_ACCESS_READ ||
	    count_readers(connections, count) < READER_SHARE(count))
		place = find_free(connections, count);
	return place ? place : make_room(connections, count, access);
}
