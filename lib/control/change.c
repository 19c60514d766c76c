/* SPDX-License-Identifier: MIT */
/*
 * Opening, applying and reverting what a request names.
 */
#include "change.h"

#include "../atomic.h"
#include "../canary.h"
#include "../engine.h"
#include "../patch.h"
#include "../status.h"
#include "desired.h"
#include "report.h"
#include "share.h"
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The most patches that one request reverts. */
#define NAME_LIMIT 256

uint64_t hp_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

json_t *hp_change_report(const struct hotpatch_patch *patch, bool already)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	return json_pack("{s:o, s:b}", "patch", hp_report_patch(&info),
			 "already", already);
}

/* The state of a patch that nothing holds any more, by its last event. */
static bool read_end(const char *name, enum hotpatch_state *state)
{
	struct hotpatch_event events[32];
	uint64_t after = 0;
	bool found = false;
	size_t count;
	size_t i;

	while ((count = hotpatch_event_read(after, events, 32))) {
		for (i = 0; i < count; i++) {
			if (strcmp(events[i].patch, name) != 0)
				continue;
			found = events[i].phase == HOTPATCH_PHASE_UNMAPPED ||
				events[i].phase == HOTPATCH_PHASE_RETAINED;
			*state = events[i].phase == HOTPATCH_PHASE_UNMAPPED ?
					 HOTPATCH_CLOSED :
					 HOTPATCH_RETAINED;
		}
		after = events[count - 1].sequence;
	}
	return found;
}

/* The last event of that phase or of becoming active, if it is of that
 * phase. */
static bool read_last(const char *name, enum hotpatch_phase phase,
		      struct hotpatch_event *last)
{
	struct hotpatch_event event;
	uint64_t after = 0;
	bool found = false;

	while (hotpatch_event_read(after, &event, 1)) {
		after = event.sequence;
		if (strcmp(event.patch, name) != 0 ||
		    (event.phase != phase &&
		     event.phase != HOTPATCH_PHASE_ACTIVE))
			continue;
		found = event.phase == phase;
		*last = event;
	}
	return found;
}

enum hotpatch_status hp_change_report_lost(const char *name,
					   struct hotpatch_error *err)
{
	struct hotpatch_event event;

	if (!read_last(name, HOTPATCH_PHASE_UNHEALTHY, &event))
		return hp_error(err, HOTPATCH_E_NO_PATCH, 0, name,
				"No patch is called %s.", name);
	return hp_error(err, HOTPATCH_E_UNHEALTHY, 0, name,
			"%s was taken back: %s", name, event.object);
}

enum hotpatch_status hp_change_report_gone(const char *name, json_t **result,
					   struct hotpatch_error *err)
{
	enum hotpatch_state state;

	if (!read_end(name, &state))
		return hp_error(err, HOTPATCH_E_NO_PATCH, 0, name,
				"No patch is called %s.", name);
	if (state == HOTPATCH_RETAINED)
		return hp_error(err, HOTPATCH_E_RETAINED, 0, name,
				"The code of %s stays mapped.", name);
	*result = json_pack("{s:{s:o, s:s}, s:b}", "patch", "name",
			    hp_wire_text(name), "state",
			    hotpatch_state_name(state), "already", 1);
	return HOTPATCH_OK;
}

/* A place is emptied before its descriptor is closed; see connection.c. */
static void close_at(int *place)
{
	int fd = hp_load_relaxed(place);

	hp_store_relaxed(place, -1); /* likewise */
	if (fd >= 0)
		close(fd);
}

void hp_change_forget(struct hp_change *change)
{
	close_at(&change->fds[0]);
	close_at(&change->fds[1]);
}

static enum hotpatch_status open_bundle(struct hp_change *change)
{
	struct hotpatch_open_options options = change->open;
	enum hotpatch_status status;

	if (change->fds[1] >= 0)
		options.signature_fd = &change->fds[1];
	status = hotpatch_patch_open_fd(change->fds[0], change->name, &options,
					&change->patch, &change->err);
	hp_change_forget(change);
	return status == HOTPATCH_E_ALREADY ? HOTPATCH_OK : status;
}

/* Those below return HOTPATCH_E_BUSY for "not yet". */
static enum hotpatch_status report_changed(struct hp_change *change,
					   enum hotpatch_status status)
{
	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	change->result =
		hp_change_report(change->patch, status == HOTPATCH_E_ALREADY);
	return HOTPATCH_OK;
}

/* A canary is ended by somebody alone, so that no time to wait is enough; what
 * else is open ends by itself. */
static enum hotpatch_status check_turn(struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	const struct hotpatch_patch *patch;

	hp_engine_lock();
	for (patch = hp_patches; patch; patch = patch->next) {
		if (patch->leads && hp_canary_is_open())
			status = hp_error(err, HOTPATCH_E_BUSY, 0,
					  patch->manifest.name,
					  "The canary of %s is open, and other "
					  "changes wait until it ends.",
					  patch->manifest.name);
	}
	hp_engine_unlock();
	return status;
}

/* The connection keeps the handle. Of a bundle that was only checked there is
 * one if it is here already. */
static enum hotpatch_status try_stage(struct hp_change *change)
{
	enum hotpatch_status status = open_bundle(change);
	struct hotpatch_patch_info info;

	if (status)
		return status;
	if (!change->patch) {
		status = check_turn(&change->err);
		if (!status)
			change->result = json_pack("{s:b}", "already", 0);
		return status;
	}
	hotpatch_patch_info(change->patch, &info);
	change->result =
		hp_change_report(change->patch, info.state != HOTPATCH_LOADED);
	return HOTPATCH_OK;
}

static enum hotpatch_status find_or_open(struct hp_change *change)
{
	if (change->patch)
		return HOTPATCH_OK;
	if (change->kind == HP_CHANGE_APPLY)
		return open_bundle(change);
	if (!hotpatch_patch_find(change->name, &change->patch))
		return HOTPATCH_OK;
	return hp_error(&change->err, HOTPATCH_E_NO_PATCH, 0, change->name,
			"No patch is called %s.", change->name);
}

/* Gives back what a change takes, in @share, or NULL for none. */
static const struct hotpatch_canary *canary_of(const struct hp_change *change,
					       struct hp_share *share)
{
	/* It was read without fault when it was asked for. */
	if (!change->canary || hp_share_read(change->canary, share, NULL))
		return NULL;
	return &share->canary;
}

static enum hotpatch_status try_apply(struct hp_change *change)
{
	struct hotpatch_apply_options options = change->options;
	enum hotpatch_status status = find_or_open(change);
	struct hp_share share;

	if (status)
		return status;
	options.canary = canary_of(change, &share);
	return report_changed(change,
			      hotpatch_patch_apply(change->patch, &options,
						   &change->err));
}

static enum hotpatch_status try_canary(struct hp_change *change)
{
	enum hotpatch_status status = find_or_open(change);
	struct hp_share share;

	if (status)
		return status;
	return report_changed(change,
			      hotpatch_patch_canary(change->patch,
						    canary_of(change, &share),
						    &change->err));
}

/* What requires it goes with it, one after the other. */
static enum hotpatch_status try_condemn(struct hp_change *change)
{
	enum hotpatch_status status;

	hp_engine_lock();
	if (change->patch->state == HOTPATCH_ACTIVE)
		hp_trial_fail(change->patch, change->unhealthy);
	hp_engine_unlock();
	hotpatch_poll();
	status = hotpatch_patch_revert(change->patch, &change->options,
				       &change->err);
	return status == HOTPATCH_E_REQUIRES ? HOTPATCH_E_BUSY : status;
}

/* Reverting it again changes nothing, and to have gone was the goal. */
static enum hotpatch_status try_revert(struct hp_change *change)
{
	if (!change->patch && hotpatch_patch_find(change->name, &change->patch))
		return hp_change_report_gone(change->name, &change->result,
					     &change->err);
	if (change->unhealthy)
		return report_changed(change, try_condemn(change));
	return report_changed(change, hotpatch_patch_revert(change->patch,
							    &change->options,
							    &change->err));
}

static bool has_name(const json_t *names, const char *name)
{
	size_t i;

	for (i = 0; i < json_array_size(names); i++) {
		if (!strcmp(json_string_value(json_array_get(names, i)), name))
			return true;
	}
	return false;
}

/* Reverts the patch of this name, which was active a moment ago. */
static enum hotpatch_status revert_one(struct hp_change *change,
				       const char *name)
{
	struct hotpatch_error *err = &change->err;
	struct hotpatch_patch *patch;
	enum hotpatch_status status;

	if (has_name(change->names, name))
		return hp_error(err, HOTPATCH_E_STALLED, 0, name,
				"Tasks did not leave %s by the deadline, so it "
				"is active again.",
				name);
	if (hotpatch_patch_find(name, &patch))
		return HOTPATCH_OK;
	status = hotpatch_patch_revert(patch, &change->options, err);
	hotpatch_patch_close(patch);
	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	if (json_array_append_new(change->names, hp_wire_text(name)))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, name,
				"%s is reverted, but there is no memory to "
				"tell what else is.",
				name);
	return HOTPATCH_OK;
}

/* The newest patch that tasks see or are moving to; "" if there is none. */
static enum hotpatch_status newest_active(char name[HOTPATCH_NAME_SIZE],
					  struct hotpatch_error *err)
{
	struct hotpatch_patch_info *infos = calloc(NAME_LIMIT, sizeof(*infos));
	bool found = false;
	size_t count;

	name[0] = '\0';
	if (!infos)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "patches",
				"There is no memory to list the patches.");
	count = hotpatch_patch_list(infos, NAME_LIMIT);
	if (count > NAME_LIMIT)
		count = NAME_LIMIT;
	while (count-- && !found) {
		found = infos[count].state == HOTPATCH_APPLYING ||
			infos[count].state == HOTPATCH_ACTIVE;
		if (found)
			memcpy(name, infos[count].name, HOTPATCH_NAME_SIZE);
	}
	free(infos);
	return HOTPATCH_OK;
}

static enum hotpatch_status try_revert_all(struct hp_change *change)
{
	char name[HOTPATCH_NAME_SIZE];
	enum hotpatch_status status;

	do {
		status = newest_active(name, &change->err);
		if (!status && name[0])
			status = revert_one(change, name);
	} while (!status && name[0]);
	if (status)
		return status;
	change->result = json_pack("{s:O, s:b}", "patches", change->names,
				   "already", !json_array_size(change->names));
	return HOTPATCH_OK;
}

static enum hotpatch_status try_kind(struct hp_change *change)
{
	switch (change->kind) {
	case HP_CHANGE_STAGE:
		return try_stage(change);
	case HP_CHANGE_APPLY:
	case HP_CHANGE_APPLY_STAGED:
		return try_apply(change);
	case HP_CHANGE_CANARY:
		return try_canary(change);
	case HP_CHANGE_REVERT:
		return try_revert(change);
	case HP_CHANGE_REVERT_ALL:
		return try_revert_all(change);
	default:
		return hp_change_try_desired(change);
	}
}

bool hp_change_try(struct hp_change *change)
{
	change->status = try_kind(change);
	if (change->status == HOTPATCH_E_BUSY && hp_now_ms() < change->until_ms)
		return false;
	/* Its handle may be the last. */
	if (change->status && change->kind <= HP_CHANGE_APPLY_STAGED) {
		hotpatch_patch_close(change->patch);
		change->patch = NULL;
	}
	return true;
}

void hp_change_release(struct hp_change *change)
{
	hp_change_forget(change);
	hp_patch_release(change->patch);
	json_decref(change->id);
	json_decref(change->params);
	json_decref(change->names);
	json_decref(change->result);
	*change = (struct hp_change){.fds = {-1, -1}};
}
