/* SPDX-License-Identifier: MIT */
/*
 * Why a choice needs no look of its own at whether the canary has changed:
 *
 * What a canary takes is a function of the generation. Each change of it makes
 * the next one, and its end does, too, so that whoever compares the generation
 * again after its announcement, as every enter does, has compared the canary.
 * There are two records, used in turn: the next one is written while tasks read
 * the last, and only after all have gone on is that written again. A task that
 * reads a record while it is written finds another generation afterwards.
 */
#include "canary.h"

#include "atomic.h"
#include "engine.h"
#include "patch.h"
#include "scan.h"
#include "status.h"
#include "step.h"
#include "task.h"
#include "transition.h"

#include <stdio.h>
#include <string.h>

struct record {
	uint64_t generation;
	uint64_t seed;
	uint32_t share;
	uint32_t key_count;
	uint64_t keys[HOTPATCH_CANARY_KEYS];
};

static struct record records[2];

/* What is written into them next. */
static struct {
	bool open;
	uint64_t since;
	uint64_t seed;
	uint32_t share;
	uint32_t key_count;
	uint64_t keys[HOTPATCH_CANARY_KEYS];
} canary;

static struct record *record_of(uint64_t generation)
{
	return &records[generation / HP_CANARY_STRIDE % 2];
}

enum hotpatch_status hp_canary_check(const struct hotpatch_canary *wanted,
				     struct hotpatch_error *err)
{
	if (wanted->size != sizeof(*wanted) ||
	    wanted->share > HOTPATCH_CANARY_WHOLE ||
	    wanted->key_count > HOTPATCH_CANARY_KEYS ||
	    (wanted->key_count && !wanted->keys))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "canary",
				"a share of at most %u and at most %u keys are "
				"wanted",
				HOTPATCH_CANARY_WHOLE, HOTPATCH_CANARY_KEYS);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_canary_fits(const struct hotpatch_patch *patch,
				    struct hotpatch_error *err)
{
	const struct hotpatch_patch *other;

	if (patch->state == HOTPATCH_REVERTING)
		return hp_error(err, HOTPATCH_E_CANARY, 0, patch->manifest.name,
				"%s is %s, and tasks have either view already",
				patch->manifest.name,
				hotpatch_state_name(patch->state));
	if (patch->manifest.consistency != HOTPATCH_PER_TASK)
		return hp_error(err, HOTPATCH_E_CANARY, 0, patch->manifest.name,
				"%s is not consistent per task",
				patch->manifest.name);
	for (other = hp_patches; other; other = other->next)
		if (other->state == HOTPATCH_ACTIVE &&
		    other->manifest.consistency == HOTPATCH_RENDEZVOUS &&
		    hp_patch_supersedes(patch, other))
			return hp_error(err, HOTPATCH_E_CANARY, 0,
					other->manifest.name,
					"%s replaces %s, which goes by a "
					"rendezvous",
					patch->manifest.name,
					other->manifest.name);
	return HOTPATCH_OK;
}

/* Release, each of them: pairs with the acquires in hp_canary_view(), so that
 * who reads one of them finds the generation that was there before. */
static void write_record(uint64_t generation)
{
	struct record *record = record_of(generation);
	uint32_t i;

	hp_store_release(&record->generation, generation);
	hp_store_release(&record->seed, canary.seed);
	hp_store_release(&record->share, canary.share);
	hp_store_release(&record->key_count, canary.key_count);
	for (i = 0; i < canary.key_count; i++)
		hp_store_release(&record->keys[i], canary.keys[i]);
}

static void offer(uint64_t generation)
{
	HP_ORDER(CANARY_RECORD, write_record(generation),
		 hp_view_offer(generation));
}

static void take(const struct hotpatch_canary *wanted)
{
	canary.share = wanted->share;
	canary.key_count = (uint32_t)wanted->key_count;
	if (wanted->key_count)
		memcpy(canary.keys, wanted->keys,
		       wanted->key_count * sizeof(*wanted->keys));
}

/* The name of the patch that leads, as a number; FNV-1a of 64 bits. */
static uint64_t make_seed(void)
{
	const struct hotpatch_patch *patch = hp_patches;
	uint64_t hash = 0xcbf29ce484222325u;
	const char *name;

	while (patch && !patch->leads)
		patch = patch->next;
	for (name = patch ? patch->manifest.name : ""; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash;
}

void hp_canary_begin(const struct hotpatch_canary *wanted)
{
	canary.open = wanted != NULL;
	if (!wanted)
		return;
	take(wanted);
	canary.seed = make_seed();
}

void hp_canary_show(uint64_t since)
{
	canary.since = since;
	offer(since + HP_CANARY_STRIDE);
}

void hp_canary_end(void)
{
	canary.open = false;
}

bool hp_canary_is_open(void)
{
	return canary.open;
}

bool hp_canary_is(const struct hotpatch_canary *wanted)
{
	return wanted && wanted->share == canary.share &&
	       wanted->key_count == canary.key_count &&
	       (!wanted->key_count ||
		memcmp(wanted->keys, canary.keys,
		       wanted->key_count * sizeof(*wanted->keys)) == 0);
}

void hp_canary_announce(enum hotpatch_phase phase)
{
	char text[64];

	snprintf(text, sizeof(text), "%u.%02u %%, %u keys", canary.share / 100,
		 canary.share % 100, canary.key_count);
	hp_transition_announce(phase, HOTPATCH_OK, text);
}

void hp_canary_renew(void)
{
	offer(hotpatch_generation + HP_CANARY_STRIDE);
	hp_step(ADVANCE);
}

enum hotpatch_status hp_canary_change(const struct hotpatch_canary *wanted,
				      struct hotpatch_error *err)
{
	take(wanted);
	hp_canary_renew();
	hp_canary_announce(HOTPATCH_PHASE_CANARY_CHANGED);
	hp_progress_made();
	/* Who chose before has announced it to hp_canary_info(). */
	if (!hp_barrier())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "membarrier",
				"membarrier was available at start and is "
				"refused now");
	return HOTPATCH_OK;
}

void hp_canary_info(struct hotpatch_patch_info *info)
{
	const struct hp_task_range in = {canary.since, hotpatch_generation, 0};
	struct hp_task_sight sight;
	size_t i;

	info->canary = true;
	info->canary_share = canary.share;
	info->canary_keys = canary.key_count;
	for (i = 0; hp_scan_look(i, &sight); i++)
		info->canary_tasks += hp_scan_ranges_have(&in, 1, sight.seen);
}

/* Every bit of a key counts for every bit of the result: the finisher of
 * splitmix64, by its published constants. */
static uint64_t mix(uint64_t key)
{
	key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
	key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
	return key ^ (key >> 31);
}

/* The place of a key among HOTPATCH_CANARY_WHOLE: a larger share takes those
 * that a smaller one took, and more. */
static uint32_t place(uint64_t key, uint64_t seed)
{
	return (uint32_t)((mix(key ^ seed) >> 32) * HOTPATCH_CANARY_WHOLE >>
			  32);
}

static bool is_in(const struct record *record, uint64_t key)
{
	/* Acquire pairs with write_record(): the comparison of the
	 * generation comes after all of these. */
	uint64_t seed = hp_load_acquire(&record->seed);
	uint32_t count = hp_load_acquire(&record->key_count);
	uint32_t i;

	if (place(key, seed) < hp_load_acquire(&record->share)) /* as above */
		return true;
	for (i = 0; i < count; i++)
		if (hp_load_acquire(&record->keys[i]) == key) /* as above */
			return true;
	return false;
}

uint64_t hp_canary_view(uint64_t generation, uint64_t key)
{
	const struct record *record = record_of(generation);

	/* Acquire: as in is_in(). */
	if (hp_load_acquire(&record->generation) != generation)
		return generation;
	return generation - (is_in(record, key) ? HP_CANARY_IN : HP_CANARY_OUT);
}
