/* SPDX-License-Identifier: MIT */
/*
 * The log of this process: events as lines of a chain.
 */
#ifndef HP_OBSERVE_LOG_H
#define HP_OBSERVE_LOG_H

#include <stdint.h>

/* @running: whether there is a log; the others count since it was started.
 * @dropped: by the journal. */
struct hp_log_figures {
	int running;
	uint64_t lines;
	uint64_t failures;
	uint64_t dropped;
};

void hp_log_figures(struct hp_log_figures *figures);

/* Another thread of the parent's may have been starting one. */
void hp_log_fork_child(void);

#endif
