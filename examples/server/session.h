/* SPDX-License-Identifier: MIT */
/*
 * What the server and its bundles share of sessions: the object, and the
 * functions that may be patched. A session is used by one thread at a time.
 */
#ifndef SESSION_H
#define SESSION_H

#include "server.h"

/**
 * struct session - what the server keeps of one client
 * @number: by which the client names it
 * @flags:  SESSION_ flags; none is in use in this version
 * @visits: requests so far
 */
struct session {
	unsigned int number;
	unsigned int flags;
	unsigned long visits;
};

/* A session of its own memory; NULL without any. */
struct session *session_make(unsigned int number);

/* One request: fills @body and gives the status of HTTP. */
unsigned int session_visit(struct session *session, struct body *body);

/* "/session/new", "/session/N" and "/session/N/close"; the status of HTTP. */
unsigned int session_serve(const char *path, struct body *body);

/* How many are open. */
unsigned int session_count(void);

void session_close_all(void);

#endif
