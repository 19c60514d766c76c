/* SPDX-License-Identifier: MIT */
/*
 * The sessions of the server: made, used and closed by requests. Two functions
 * may be patched. What a bundle attaches to a session goes with it: that is
 * the one line about shadow data in here.
 */
#include "session.h"

#include <hotpatch/hotpatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_LIMIT 4096

/* Session N is at N modulo the limit. The lock guards the sessions too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions[SESSION_LIMIT];
static unsigned int count;
static unsigned int newest;

HOTPATCH_FUNCTION(struct session *, session_make, (unsigned int number))
{
	struct session *session = calloc(1, sizeof(*session));

	if (session)
		session->number = number;
	return session;
}

/* The flaw: one client may come as often as it likes. */
HOTPATCH_FUNCTION(unsigned int, session_visit,
		  (struct session * session, struct body *body))
{
	session->visits++;
	body->size = (size_t)snprintf(body->text, BODY_SIZE,
				      "session %u, visit %lu\n",
				      session->number, session->visits);
	body->version = 1;
	return 200;
}

static void session_free(struct session *session)
{
	hotpatch_shadow_detach_object(session);
	free(session);
	count--;
}

static unsigned int session_open(struct body *body)
{
	struct session **place;
	unsigned int tries;

	for (tries = 0; tries < SESSION_LIMIT; tries++) {
		place = &sessions[++newest % SESSION_LIMIT];
		if (*place)
			continue;
		*place = session_make(newest);
		if (!*place)
			break;
		count++;
		body->size = (size_t)snprintf(body->text, BODY_SIZE,
					      "session %u\n", newest);
		return 200;
	}
	return 503;
}

static unsigned int serve(const char *path, struct body *body)
{
	struct session **place;
	unsigned int number;
	char *rest;

	if (strcmp(path, "new") == 0)
		return session_open(body);
	number = (unsigned int)strtoul(path, &rest, 10);
	place = &sessions[number % SESSION_LIMIT];
	if (!*place || (*place)->number != number)
		return 404;
	if (*rest == '\0')
		return session_visit(*place, body);
	if (strcmp(rest, "/close") != 0)
		return 404;
	session_free(*place);
	*place = NULL;
	return 200;
}

unsigned int session_serve(const char *path, struct body *body)
{
	static const char prefix[] = "/session/";
	unsigned int status;

	body->size = 0;
	body->version = 0;
	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return 404;
	pthread_mutex_lock(&lock);
	status = serve(path + sizeof(prefix) - 1, body);
	pthread_mutex_unlock(&lock);
	return status;
}

unsigned int session_count(void)
{
	unsigned int open;

	pthread_mutex_lock(&lock);
	open = count;
	pthread_mutex_unlock(&lock);
	return open;
}

void session_close_all(void)
{
	for (size_t i = 0; i < SESSION_LIMIT; i++) {
		if (sessions[i])
			session_free(sessions[i]);
		sessions[i] = NULL;
	}
}
