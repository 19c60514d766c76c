/* SPDX-License-Identifier: MIT */
/*
 * A state is installed while any patch claims it; its version is the highest
 * that is claimed. The record, which has the pointer that is handed on, lives
 * as long as a known patch declares the state.
 */
#include "state.h"

#include "engine.h"
#include "patch.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

struct hp_state_record {
	struct hp_state_record *next;
	unsigned int users; /* patches that declare it */
	void *data;
	char id[HOTPATCH_NAME_SIZE];
};

static struct hp_state_record *records;

static struct hp_state_record *find_record(const char *id)
{
	struct hp_state_record *record = records;

	while (record && strcmp(record->id, id) != 0)
		record = record->next;
	return record;
}

/* A record that is found or, without memory, NULL. */
static struct hp_state_record *use_record(const char *id)
{
	struct hp_state_record *record = find_record(id);

	if (!record) {
		record = calloc(1, sizeof(*record));
		if (!record)
			return NULL;
		hp_text_copy(record->id, sizeof(record->id), id);
		record->next = records;
		records = record;
	}
	record->users++;
	return record;
}

static void drop_record(struct hp_state_record *dropped)
{
	struct hp_state_record **place = &records;

	if (--dropped->users)
		return;
	while (*place != dropped)
		place = &(*place)->next;
	*place = dropped->next;
	free(dropped);
}

static bool use_records(struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < patch->manifest.state_count; i++) {
		patch->claims[i].record =
			use_record(patch->manifest.states[i].id);
		if (!patch->claims[i].record)
			return false;
	}
	return true;
}

enum hotpatch_status hp_state_create(struct hotpatch_patch *patch,
				     struct hotpatch_error *err)
{
	size_t count = patch->manifest.state_count;
	bool complete;
	size_t i;

	if (!count)
		return HOTPATCH_OK;
	patch->claims = calloc(count, sizeof(*patch->claims));
	if (!patch->claims)
		goto no_memory;
	for (i = 0; i < count; i++)
		patch->claims[i].clean_up =
			hp_callback_function(patch, HOTPATCH_CALLBACK_CLEAN_UP,
					     patch->manifest.states[i].id);
	hp_engine_lock();
	complete = use_records(patch);
	hp_engine_unlock();
	if (complete)
		return HOTPATCH_OK;
no_memory:
	return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, patch->manifest.name,
			"no memory for the states of %s", patch->manifest.name);
}

void hp_state_destroy(struct hotpatch_patch *patch)
{
	size_t i;

	if (!patch->claims)
		return;
	hp_engine_lock();
	for (i = 0; i < patch->manifest.state_count; i++)
		if (patch->claims[i].record)
			drop_record(patch->claims[i].record);
	hp_engine_unlock();
	free(patch->claims);
	patch->claims = NULL;
}

/* What @patch declares of a state, or NULL. */
static const struct hp_state *find_state(const struct hotpatch_patch *patch,
					 const char *id)
{
	size_t i;

	for (i = 0; i < patch->manifest.state_count; i++)
		if (strcmp(patch->manifest.states[i].id, id) == 0)
			return &patch->manifest.states[i];
	return NULL;
}

static enum hotpatch_status check_one(const struct hotpatch_patch *patch,
				      const struct hotpatch_patch *other,
				      const struct hp_state *installed,
				      struct hotpatch_error *err)
{
	const struct hp_state *mine = find_state(patch, installed->id);

	if (!mine && !hp_patch_supersedes(patch, other))
		return HOTPATCH_OK;
	if (!mine)
		return hp_error(err, HOTPATCH_E_STATE_UNKNOWN, 0, installed->id,
				"%s replaces %s, but does not know its state "
				"%s",
				patch->manifest.name, other->manifest.name,
				installed->id);
	if (mine->version >= installed->version)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_STATE_OLDER, 0, installed->id,
			"%s knows version %u of the state %s, %s has installed "
			"version %u",
			patch->manifest.name, mine->version, installed->id,
			other->manifest.name, installed->version);
}

enum hotpatch_status hp_state_check(const struct hotpatch_patch *patch,
				    struct hotpatch_error *err)
{
	const struct hotpatch_patch *other;
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	for (other = hp_patches; other; other = other->next)
		for (i = 0; i < other->manifest.state_count && !status; i++)
			if (other != patch && other->claims[i].claimed)
				status = check_one(patch, other,
						   &other->manifest.states[i],
						   err);
	return status;
}

/* The highest version that others than @patch claim, 0 for none. */
static uint32_t installed_by_others(const struct hotpatch_patch *patch,
				    const struct hp_state_record *record)
{
	const struct hotpatch_patch *other;
	uint32_t version = 0;
	size_t i;

	for (other = hp_patches; other; other = other->next)
		for (i = 0; i < other->manifest.state_count; i++)
			if (other != patch && other->claims[i].claimed &&
			    other->claims[i].record == record &&
			    other->manifest.states[i].version > version)
				version = other->manifest.states[i].version;
	return version;
}

void hp_state_fill(const struct hotpatch_patch *patch,
		   struct hotpatch_context_state *states)
{
	size_t count = patch->manifest.state_count;
	struct hp_state_record *record;
	size_t i;

	for (i = 0; i < count; i++) {
		record = patch->claims[i].record;
		states[i].id = patch->manifest.states[i].id;
		states[i].version = patch->manifest.states[i].version;
		states[i].installed = installed_by_others(patch, record);
		states[i].data = record->data;
		states[count + i] = states[i];
	}
}

/* What a callback did not touch may have been written by another one. */
void hp_state_take(const struct hotpatch_patch *patch,
		   const struct hotpatch_context_state *states)
{
	size_t count = patch->manifest.state_count;
	size_t i;

	for (i = 0; i < count; i++)
		if (states[i].data != states[count + i].data)
			patch->claims[i].record->data = states[i].data;
}

void hp_state_claim(struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < patch->manifest.state_count; i++)
		patch->claims[i].claimed = true;
}

bool hp_state_next_claim(const struct hotpatch_patch *patch, size_t *index)
{
	size_t i;

	for (i = 0; i < patch->manifest.state_count; i++) {
		*index = i;
		if (patch->claims[i].claimed)
			return true;
	}
	return false;
}

bool hp_state_is_last(const struct hotpatch_patch *patch, size_t index)
{
	return installed_by_others(patch, patch->claims[index].record) == 0;
}

void hp_state_give_up(struct hotpatch_patch *patch, size_t index)
{
	if (hp_state_is_last(patch, index))
		patch->claims[index].record->data = NULL;
	patch->claims[index].claimed = false;
}

/* Of the patches that claim the state: how many, the newest, its version. */
static void fill_info(const struct hp_state_record *record,
		      struct hotpatch_state_info *info)
{
	const struct hotpatch_patch *patch;
	uint64_t newest = 0;
	size_t i;

	memset(info, 0, sizeof(*info));
	hp_text_copy(info->id, sizeof(info->id), record->id);
	info->version = installed_by_others(NULL, record);
	for (patch = hp_patches; patch; patch = patch->next)
		for (i = 0; i < patch->manifest.state_count; i++) {
			if (!patch->claims[i].claimed ||
			    patch->claims[i].record != record)
				continue;
			info->patches++;
			if (patch->order < newest)
				continue;
			newest = patch->order;
			hp_text_copy(info->patch, sizeof(info->patch),
				     patch->manifest.name);
		}
}

size_t hotpatch_state_list(struct hotpatch_state_info *infos, size_t size)
{
	const struct hp_state_record *record;
	size_t count = 0;

	hp_engine_lock();
	for (record = records; record; record = record->next) {
		if (!installed_by_others(NULL, record))
			continue;
		if (count < size)
			fill_info(record, &infos[count]);
		count++;
	}
	hp_engine_unlock();
	return count;
}
