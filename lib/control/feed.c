/* SPDX-License-Identifier: MIT */
/*
 * Events for subscribers. Each has its own cursor into the ring and is sent
 * more when it has read what it has; who reads too slowly misses some, and is
 * told how many.
 */
#include "connection.h"

#include "report.h"

#define BATCH 16

static void send_event(struct hp_connection *connection,
		       const struct hotpatch_event *event)
{
	json_int_t lost =
		(json_int_t)(event->sequence - connection->cursor - 1);
	json_t *message = json_pack("{s:o}", "event", hp_report_event(event));

	if (message && lost)
		json_object_set_new(message, "lost", json_integer(lost));
	/* Without memory it would miss one and not be told. */
	if (!hp_wire_write(&connection->output, message))
		connection->broken = true;
	connection->cursor = event->sequence;
}

void hp_feed_advance(struct hp_connection *connection)
{
	struct hotpatch_event events[BATCH];
	size_t count;
	size_t i;

	if (!connection->subscribed)
		return;
	while (!connection->broken &&
	       connection->output.size < HP_OUTPUT_HIGH &&
	       (count = hotpatch_event_read(connection->cursor, events,
					    BATCH)) > 0) {
		for (i = 0; i < count; i++)
			send_event(connection, &events[i]);
	}
}
