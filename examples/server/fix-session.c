/* SPDX-License-Identifier: MIT */
/*
 * Gives each session a quota, for which struct session has no room. Sessions
 * that this code makes have the new layout, with the quota behind the members
 * that the old code knows, and a flag that says so. All others, which the old
 * code made before, during or after, get their quota as shadow data when they
 * are used for the first time.
 *
 * Taking the patch back needs nothing: the old code does not look at the flag
 * or behind its members, and frees either layout alike.
 */
#include "session.h"

#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>
#include <stdio.h>
#include <stdlib.h>

HOTPATCH_BUNDLE("fix-session", 1);

#define QUOTA 100
#define SESSION_HAS_QUOTA 1u /* a flag that no version has used */

struct quota {
	unsigned int used;
};

struct session_with_quota {
	struct session session;
	struct quota quota;
};

HOTPATCH_SHADOW(struct quota, session_quota, 0x5e55)

HOTPATCH_REPLACE(struct session *, session_make, (unsigned int number))
{
	struct session_with_quota *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	made->session.number = number;
	made->session.flags = SESSION_HAS_QUOTA;
	return &made->session;
}

/* NULL without memory. */
static struct quota *quota_of(struct session *session)
{
	struct quota *quota = NULL;

	if (session->flags & SESSION_HAS_QUOTA)
		return &((struct session_with_quota *)session)->quota;
	if (session_quota_get_or_attach(session, NULL, &quota, NULL) != 0)
		return NULL;
	return quota;
}

HOTPATCH_REPLACE(unsigned int, session_visit,
		 (struct session * session, struct body *body))
{
	struct quota *quota = quota_of(session);

	if (!quota)
		return 503;
	if (quota->used >= QUOTA)
		return 429;
	quota->used++;
	session->visits++;
	body->size = (size_t)snprintf(body->text, BODY_SIZE,
				      "session %u, visit %lu, %u of %u\n",
				      session->number, session->visits,
				      quota->used, QUOTA);
	body->version = 2;
	return 200;
}
