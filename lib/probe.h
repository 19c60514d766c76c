/* SPDX-License-Identifier: MIT */
/*
 * Static probes (USDT): one for each phase, in the form that gdb, perf,
 * bpftrace and systemtap read from a file's notes. A probe that nobody watches
 * is one instruction that does nothing; none is on the way of a call.
 */
#ifndef HP_PROBE_H
#define HP_PROBE_H

#include <hotpatch/event.h>

/* Passes the probe of @event's phase, called "hotpatch:" and the phase's name
 * with "_" for "-". Its arguments: the patch's name and the object as texts,
 * the generation, the status. */
void hp_probe(const struct hotpatch_event *event);

#endif
