/* SPDX-License-Identifier: MIT */
/*
 * The engine's facts as JSON.
 */
#include "report.h"

#include "../module.h"
#include "../trust.h"
#include "socket.h"
#include "wire.h"

#include <hotpatch/inventory.h>
#include <hotpatch/version.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define EFFECTIVE_SIZE 1024

/* The build-id of the program itself, "" if it has none. */
static void read_build_id(char build_id[HOTPATCH_BUILD_ID_SIZE])
{
	const void *headers = (const void *)getauxval(AT_PHDR);
	struct hp_module_facts facts;

	*build_id = '\0';
	if (hp_module_find(headers, &facts))
		memcpy(build_id, facts.build_id, sizeof(facts.build_id));
}

json_t *hp_report_greeting(enum hp_access access)
{
	char program[NAME_MAX + 1];
	char build_id[HOTPATCH_BUILD_ID_SIZE];

	hp_socket_program(program, sizeof(program));
	read_build_id(build_id);
	return json_pack("{s:i, s:s, s:i, s:o, s:o*, s:s, s:s, s:b}",
			 "hotpatch", HP_WIRE_PROTOCOL, "version",
			 hotpatch_version(), "pid", (int)getpid(), "program",
			 hp_wire_text(program), "build_id",
			 *build_id ? json_string(build_id) : NULL, "access",
			 access == HP_ACCESS_ADMIN ? "admin" : "read",
			 "signatures", hp_trust_policy(), "canary", 1);
}

/* NULL, and so no member, of a patch that has no open one. */
static json_t *report_canary(const struct hotpatch_patch_info *info)
{
	if (!info->canary)
		return NULL;
	return json_pack("{s:I, s:I, s:I}", "share",
			 (json_int_t)info->canary_share, "keys",
			 (json_int_t)info->canary_keys, "tasks",
			 (json_int_t)info->canary_tasks);
}

json_t *hp_report_patch(const struct hotpatch_patch_info *info)
{
	return json_pack(
		"{s:o, s:s, s:I, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:s, s:o, s:o, "
		"s:s, s:I, s:I, s:I, s:I, s:o*}",
		"name", hp_wire_text(info->name), "state",
		hotpatch_state_name(info->state), "sequence",
		(json_int_t)info->sequence, "build_id", info->build_id, "path",
		hp_wire_text(info->path), "key_id", info->key_id, "functions",
		(json_int_t)info->functions, "bound", (json_int_t)info->bound,
		"mapped_bytes", (json_int_t)info->mapped_bytes, "generation",
		(json_int_t)info->generation, "status",
		hotpatch_status_name(info->status), "reason",
		hp_wire_text(info->reason), "still_runs",
		hp_wire_text(info->still_runs), "callback", info->callback,
		"open_us", (json_int_t)info->open_us, "drain_us",
		(json_int_t)info->drain_us, "unmap_us",
		(json_int_t)info->unmap_us, "probation_ms",
		(json_int_t)info->probation_ms, "canary", report_canary(info));
}

static json_t *report_memory(void)
{
	struct hotpatch_memory_info info = {.size = sizeof(info)};

	if (hotpatch_memory_info(&info))
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "mapped_bytes",
			 (json_int_t)info.mapped_bytes, "retained_bytes",
			 (json_int_t)info.retained_bytes, "file_bytes",
			 (json_int_t)info.file_bytes, "task_bytes",
			 (json_int_t)info.task_bytes, "record_bytes",
			 (json_int_t)info.record_bytes, "redirect_bytes",
			 (json_int_t)info.redirect_bytes, "redirect_idle_bytes",
			 (json_int_t)info.redirect_idle_bytes);
}

/* NULL for want of memory, as a list is: a shorter one would be believed. */
static json_t *report_effective(void)
{
	char text[EFFECTIVE_SIZE];
	size_t length = hotpatch_effective_version(text, sizeof(text));
	json_t *object = NULL;
	char *whole;

	if (length < sizeof(text))
		return hp_wire_text(text);
	whole = malloc(length + 1);
	if (!whole)
		return NULL;
	hotpatch_effective_version(whole, length + 1);
	object = hp_wire_text(whole);
	free(whole);
	return object;
}

static json_t *report_process(void)
{
	struct hotpatch_process_info info;
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	char program[NAME_MAX + 1];

	hotpatch_process_info(&info);
	hp_socket_program(program, sizeof(program));
	read_build_id(build_id);
	return json_pack(
		"{s:i, s:o, s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, "
		"s:s, s:o, s:o}",
		"pid", (int)getpid(), "program", hp_wire_text(program),
		"version", hotpatch_version(), "status",
		hotpatch_status_name(info.status), "membarrier",
		info.membarrier, "transition", info.transition, "forced",
		info.forced, "sleepers", info.sleepers, "generation",
		(json_int_t)info.generation, "tasks", (json_int_t)info.tasks,
		"slots", (json_int_t)info.slots, "modules",
		(json_int_t)info.modules, "build_id", build_id, "effective",
		report_effective(), "memory", report_memory());
}

static json_t *report_blocker(const struct hotpatch_blocker *blocker)
{
	return json_pack("{s:i, s:o, s:I, s:I, s:b, s:o, s:o}", "thread",
			 blocker->thread, "name", hp_wire_text(blocker->name),
			 "generation", (json_int_t)blocker->generation,
			 "age_ms", (json_int_t)blocker->age_ms, "asleep",
			 blocker->asleep, "function",
			 hp_wire_text(blocker->function), "advice",
			 hp_wire_text(blocker->advice));
}

/* A list is whole, or NULL for want of memory, which fails what it is part of:
 * a shorter one would be believed. */
static void append(json_t **list, json_t *item)
{
	if (!json_array_append_new(*list, item))
		return;
	json_decref(*list);
	*list = NULL;
}

static json_t *report_blockers(size_t *total)
{
	struct hotpatch_blocker blockers[HP_REPORT_BLOCKERS];
	json_t *list = json_array();
	size_t i;

	*total = hotpatch_blocker_list(blockers, HP_REPORT_BLOCKERS);
	for (i = 0; i < *total && i < HP_REPORT_BLOCKERS; i++)
		append(&list, report_blocker(&blockers[i]));
	return list;
}

/* One that stays mapped, and why. */
static json_t *report_retained(const struct hotpatch_patch_info *info)
{
	return json_pack("{s:o, s:I, s:s, s:o}", "name",
			 hp_wire_text(info->name), "bytes",
			 (json_int_t)info->mapped_bytes, "status",
			 hotpatch_status_name(info->status), "reason",
			 hp_wire_text(info->reason));
}

/* Fills @retained with those that stay mapped. */
static json_t *report_patches(size_t *total, json_t **retained)
{
	struct hotpatch_patch_info *infos =
		calloc(HP_REPORT_PATCHES, sizeof(*infos));
	json_t *list = infos ? json_array() : NULL;
	size_t i;

	*total = infos ? hotpatch_patch_list(infos, HP_REPORT_PATCHES) : 0;
	for (i = 0; i < *total && i < HP_REPORT_PATCHES; i++) {
		append(&list, hp_report_patch(&infos[i]));
		if (infos[i].state == HOTPATCH_RETAINED)
			append(retained, report_retained(&infos[i]));
	}
	free(infos);
	return list;
}

static json_t *report_state(const struct hotpatch_state_info *info)
{
	return json_pack("{s:o, s:I, s:I, s:o}", "id", hp_wire_text(info->id),
			 "version", (json_int_t)info->version, "patches",
			 (json_int_t)info->patches, "patch",
			 hp_wire_text(info->patch));
}

static json_t *report_states(void)
{
	struct hotpatch_state_info infos[HP_REPORT_STATES];
	json_t *list = json_array();
	size_t total = hotpatch_state_list(infos, HP_REPORT_STATES);
	size_t i;

	for (i = 0; i < total && i < HP_REPORT_STATES; i++)
		append(&list, report_state(&infos[i]));
	return list;
}

json_t *hp_report_status(void)
{
	json_t *retained = json_array();
	size_t patch_count;
	size_t blocker_count;
	json_t *patches = report_patches(&patch_count, &retained);
	json_t *blockers = report_blockers(&blocker_count);

	return json_pack("{s:o, s:o, s:I, s:o, s:I, s:o, s:o}", "process",
			 report_process(), "patches", patches, "patch_count",
			 (json_int_t)patch_count, "blockers", blockers,
			 "blocker_count", (json_int_t)blocker_count, "retained",
			 retained, "states", report_states());
}

static json_t *report_slot(const struct hotpatch_slot_info *slot)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:b, s:o, s:b}",
			 "module", hp_wire_text(slot->module), "name",
			 hp_wire_text(slot->name), "prototype",
			 hp_wire_text(slot->prototype), "patch",
			 hp_wire_text(slot->patch), "replacements",
			 (json_int_t)slot->replacements, "build_id",
			 slot->build_id, "module_build_id",
			 slot->module_build_id, "moving", slot->moving,
			 "previous", hp_wire_text(slot->previous), "redirected",
			 slot->redirected);
}

json_t *hp_report_slots(size_t offset, size_t limit)
{
	size_t total = hotpatch_slot_list(NULL, 0);
	size_t stop = offset > total ? total : offset;
	struct hotpatch_slot_info *slots;
	json_t *list = json_array();
	size_t i;

	stop = limit < total - stop ? stop + limit : total;
	slots = calloc(stop ? stop : 1, sizeof(*slots));
	if (!slots) {
		json_decref(list);
		return NULL;
	}
	total = hotpatch_slot_list(slots, stop);
	for (i = offset; i < stop && i < total; i++)
		append(&list, report_slot(&slots[i]));
	free(slots);
	return json_pack("{s:o, s:I}", "slots", list, "slot_count",
			 (json_int_t)total);
}

json_t *hp_report_event(const struct hotpatch_event *event)
{
	return json_pack("{s:I, s:I, s:s, s:I, s:s, s:o, s:o}", "sequence",
			 (json_int_t)event->sequence, "time_ns",
			 (json_int_t)event->time_ns, "phase",
			 hotpatch_phase_name(event->phase), "generation",
			 (json_int_t)event->generation, "status",
			 hotpatch_status_name(event->status), "patch",
			 hp_wire_text(event->patch), "object",
			 hp_wire_text(event->object));
}

json_t *hp_report_events(uint64_t after, size_t limit)
{
	struct hotpatch_event *events = calloc(limit, sizeof(*events));
	json_t *list = events ? json_array() : NULL;
	size_t count = events ? hotpatch_event_read(after, events, limit) : 0;
	size_t i;

	for (i = 0; i < count; i++)
		append(&list, hp_report_event(&events[i]));
	free(events);
	return json_pack("{s:o}", "events", list);
}
