/* SPDX-License-Identifier: MIT */
/*
 * What an apply does once the patch is active: run the operator's command, and
 * wait until the probation is over.
 */
#ifndef HP_VERIFY_H
#define HP_VERIFY_H

#include "several.h"
#include "tool.h"

/*
 * From hp_verify_begin() to hp_verify_end() SIGINT, SIGTERM and SIGHUP do not
 * end the command but what it waits for.
 */
void hp_verify_begin(void);
void hp_verify_end(void);

/*
 * Runs --verify's command, if there is one, for the patch @name of the process
 * that the session leads to, with the path of its @socket. E_UNHEALTHY if it
 * exits with anything but 0, is killed, cannot be run or does not end in time;
 * E_INTERRUPTED.
 */
struct hp_verify_subject {
	const char *name;
	const char *socket;
	long pid;
};
enum hotpatch_status hp_verify_run(const struct hp_options *options,
				   const struct hp_verify_subject *subject,
				   struct hotpatch_error *err);

bool hp_verify_is_interrupted(void);

/* Does @options want more than an active patch? */
bool hp_verify_is_wanted(const struct hp_options *options);

/*
 * Runs the command as long as the probation lasts, and once without one. What
 * it does not like is taken back. *@result, which told that @name is active,
 * is replaced by how it ended. E_UNHEALTHY, E_INTERRUPTED, or why the patch is
 * not active any more.
 */
enum hotpatch_status hp_verify_one(struct hp_session *session,
				   const struct hp_options *options,
				   const char *name, json_t **result,
				   struct hotpatch_error *err);

/* The same in all processes that take part, of which none is taken back. False
 * if it was interrupted, which the first process says. */
bool hp_verify_several(struct hp_fleet *fleet,
		       const struct hp_options *options);

#endif
