/* SPDX-License-Identifier: MIT */
/*
 * What the engine knows, as JSON with stable names. Each function returns a
 * new reference, or NULL when memory is short.
 */
#ifndef HP_CONTROL_REPORT_H
#define HP_CONTROL_REPORT_H

#include "guard.h"

#include <hotpatch/event.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The most that one answer lists of each; what is left out is counted. */
#define HP_REPORT_SLOTS 256
#define HP_REPORT_EVENTS 256
#define HP_REPORT_PATCHES 256
#define HP_REPORT_BLOCKERS 64
#define HP_REPORT_STATES 64

json_t *hp_report_greeting(enum hp_access access);
json_t *hp_report_patch(const struct hotpatch_patch_info *info);
json_t *hp_report_status(void);
json_t *hp_report_slots(size_t offset, size_t limit);
json_t *hp_report_event(const struct hotpatch_event *event);
json_t *hp_report_events(uint64_t after, size_t limit);

#endif
