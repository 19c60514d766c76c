/* SPDX-License-Identifier: MIT */
/*
 * Events for systemd's journal, by its own protocol: one datagram an event,
 * fields a line each. Nothing here waits or is tried again.
 */
#ifndef HP_OBSERVE_JOURNAL_H
#define HP_OBSERVE_JOURNAL_H

#include <hotpatch/observe.h>
#include <stdbool.h>

#define HP_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* False if it was not taken. */
bool hp_journal_send(const char *path, const char *program,
		     const struct hotpatch_event *event);

#endif
