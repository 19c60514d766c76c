/* SPDX-License-Identifier: MIT */
/*
 * One client of the control socket: its bytes in and out, the descriptor that
 * it passed, and its requests that are answered later. Everything here runs
 * on the server's thread and never blocks on the client.
 */
#ifndef HP_CONTROL_CONNECTION_H
#define HP_CONTROL_CONNECTION_H

#include "guard.h"
#include "pace.h"
#include "socket.h"
#include "wire.h"
#include "worker.h"

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stdint.h>

#define HP_PENDING_LIMIT 16

/* Above the first no more requests are read, above the second the client is
 * dropped; also when nothing was taken for the time. */
#define HP_OUTPUT_HIGH ((size_t)64 << 10)
#define HP_OUTPUT_LIMIT ((size_t)2 << 20)
#define HP_OUTPUT_STUCK_MS 10000

/* A line has to be whole that long after its first byte. */
#define HP_LINE_STUCK_MS 10000

/* Who has said nothing, and wants nothing, for that long makes room when all
 * places are taken. */
#define HP_IDLE_MS 10000

#define HP_FOREVER_MS UINT64_MAX

/*
 * A request to be told when a patch gets somewhere.
 *
 * @id:       NULL if this place is free
 * @params:   keep @name
 * @after:    number of the change that its client asked for last before it
 * @begun:    that one was answered
 * @patch:    a handle of its own, once it has begun
 * @until_ms: when it is answered in any case
 */
struct hp_wait {
	json_t *id;
	json_t *params;
	const char *name;
	uint64_t after;
	bool begun;
	struct hotpatch_patch *patch;
	enum hotpatch_goal goal;
	uint64_t until_ms;
};

/*
 * @fd:        -1 if this place is free; a relaxed atomic, because the child
 *             of a fork reads it while the server may be anywhere
 * @passed:    the descriptors passed last and not used yet, the older one
 *             first, or -1; likewise
 * @recent:    a handle of the patch that the last answer was about, so that
 *             it can still be asked for after it was unmapped
 * @events:    what epoll watches it for
 * @last_change: number of the change that it asked for last
 * @cursor:    last event that it was sent, if it is subscribed
 * @pace:      of its requests; those that come faster are read later
 * @hurried:   it has whole lines that wait for their turn
 * @waiting:   it has requests that wait
 * @heard_ms:  when it last sent something that ended a line
 * @moved_ms:  when the client last took a byte, or had none to take
 */
struct hp_connection {
	int fd;
	int passed[HP_PASSED_LIMIT];
	int epoll_fd;
	enum hp_access access;
	uint32_t events;
	bool at_end;  /* the client sends no more */
	bool closing; /* no request is read any more */
	bool broken;  /* to be closed at once */
	bool subscribed;
	uint64_t cursor;
	struct hp_pace pace;
	bool hurried;
	bool waiting;
	uint64_t heard_ms;
	uint64_t moved_ms;
	struct hp_buffer input;
	struct hp_buffer output;
	struct hotpatch_patch *recent;
	struct hp_worker *worker;
	uint64_t last_change;
	struct hp_wait waits[HP_PENDING_LIMIT];
};

/* Takes over @fd, non-blocking, and greets. Closes it when that fails. */
void hp_connection_open(struct hp_connection *connection,
			struct hp_worker *worker, int epoll_fd, int fd,
			enum hp_access access);
void hp_connection_close(struct hp_connection *connection);

/* How long it has said and wanted nothing. */
uint64_t hp_connection_idle_ms(const struct hp_connection *connection);

/* It has to be looked after although nothing comes from it. */
bool hp_connection_is_owing(const struct hp_connection *connection);

/*
 * A free one of @count connections for a client with @access; NULL if it has
 * to be turned away. Who has been silent for long may be closed for it.
 */
struct hp_connection *hp_places_find(struct hp_connection *connections,
				     size_t count, enum hp_access access);

/* Only gives up the descriptors: in the child of a fork. */
void hp_connection_forget(struct hp_connection *connection);

/* After epoll reported @events. */
void hp_connection_event(struct hp_connection *connection, uint32_t events);

/* Answers what can be answered now; closes the connection when it is over.
 * True if it wants to be called again soon. */
bool hp_connection_advance(struct hp_connection *connection);

/* Both take over @result; @id is borrowed. */
void hp_connection_answer(struct hp_connection *connection, json_t *id,
			  json_t *result);
void hp_connection_refuse(struct hp_connection *connection, json_t *id,
			  const struct hotpatch_error *err);

/*
 * Gives away what was passed: the last descriptor, or the last two if a
 * signature comes after the bundle. One that is not there is -1.
 */
void hp_connection_take(struct hp_connection *connection, bool with_signature,
			int fds[HP_PASSED_LIMIT]);

/* Takes over what @change holds, if it succeeds. E_LIMIT, E_QUEUE. */
enum hotpatch_status hp_pending_change(struct hp_connection *connection,
				       struct hp_change *change,
				       struct hotpatch_error *err);
/* Looks at once, and again later if need be. E_LIMIT. */
enum hotpatch_status hp_pending_wait(struct hp_connection *connection,
				     const struct hp_wait *wait,
				     struct hotpatch_error *err);
/* True if one is left. */
bool hp_pending_advance(struct hp_connection *connection);
void hp_pending_cancel(struct hp_connection *connection);

/* Sends a subscriber what happened since, as far as it reads. */
void hp_feed_advance(struct hp_connection *connection);

/* Serves one line. */
void hp_method_call(struct hp_connection *connection, const char *line,
		    size_t size);

#endif
