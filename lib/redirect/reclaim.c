/* SPDX-License-Identifier: MIT */
/*
 * A piece of memory for trampolines, and the relays that lead there, are
 * unreachable when all of this holds:
 *
 *  - each of its functions has its own bytes, and no patch that is mapped knows
 *    the address of one of its originals;
 *  - a generation was made then, and no section is open that began before;
 *  - every thread and fiber is clear of it, as lib/proof.c tells it of bundles,
 *    at rest as well, and of every handler of a signal: that one may have
 *    interrupted a relay.
 *
 * Return addresses are in a trampoline only where a moved instruction calls.
 * Such a piece stays, because setjmp() may have been what was called.
 *
 * The record of a function stays, since hotpatch_dispatch may be looking at it;
 * what it finds is the function itself.
 */
#include "reclaim.h"

#include "../arch/arch.h"
#include "../atomic.h"
#include "../engine.h"
#include "../event.h"
#include "../patch.h"
#include "../proof.h"
#include "../redirects.h"
#include "../scan.h"
#include "../stage.h"
#include "../task.h"
#include "../transition.h"
#include "chunk.h"
#include "host.h"
#include "jump.h"

#include <sys/auxv.h>
#include <unistd.h>

#define RETRY_NS 1000000u
#define LATE_RETRY_NS 1000000000u
#define PATIENCE_TRIES 20
#define VDSO_PAGES 4
#define RANGES (1 + HP_ARCH_RESTORERS + 1)

/* Guarded by the engine's lock. */
static bool due;
static unsigned int tries;
static uint64_t retry_ns;
static size_t all_bytes;
static size_t idle_bytes;

/* One attempt at one piece. */
struct attempt {
	uintptr_t start;
	uint64_t gone;
	int image;
};

void hp_reclaim_due(void)
{
	hp_engine_lock();
	due = true;
	tries = 0;
	retry_ns = 0;
	hp_engine_unlock();
}

bool hp_reclaim_is_due(void)
{
	return due && hp_now_ns() >= retry_ns;
}

bool hp_reclaim_is_near(void)
{
	return due && tries < PATIENCE_TRIES;
}

/* ---- Which piece ---- */

static struct hp_redirected *next_in(const struct hp_chunk *chunk,
				     const struct hp_host *host, size_t *index)
{
	struct hp_redirected *record;
	size_t count;

	hp_code_functions(host->code, &count);
	while (*index < count) {
		record = host->records[(*index)++];
		if (record && record->built &&
		    record->trampoline.code - chunk->start < HP_CHUNK_CODE)
			return record;
	}
	return NULL;
}

static bool is_idle(const struct hp_chunk *chunk)
{
	const struct hp_redirected *record;
	const struct hp_host *host;
	size_t index;

	for (host = hp_host_first(); host; host = host->next) {
		index = 0;
		while ((record = next_in(chunk, host, &index)))
			if (record->on)
				return false;
	}
	return true;
}

/* A bundle that is mapped may call what it was told, whatever became of it. */
static bool knows(const struct hotpatch_patch *patch,
		  const struct hp_chunk *chunk)
{
	const struct hotpatch_replacement *record;
	uintptr_t original;
	size_t i;

	if (!patch->anywhere)
		return false;
	/* Without a handle it cannot be asked, and yet may be mapped. */
	if (patch->unloading || !patch->image.handle)
		return patch->state != HOTPATCH_CLOSED;
	for (i = 0; i < patch->manifest.replace_count; i++) {
		record = hp_patch_record(patch, i);
		/* Relaxed: it was written under the lock. */
		original =
			record ? (uintptr_t)hp_load_relaxed(record->original) :
				 0;
		if (original - chunk->start < HP_CHUNK_CODE)
			return true;
	}
	return false;
}

static bool is_known(const struct hp_chunk *chunk)
{
	const struct hotpatch_patch *patch = hp_patches;

	while (patch && !knows(patch, chunk))
		patch = patch->next;
	return patch;
}

/* Makes the generation; not while a transition is open, which makes one itself.
 * Later another one, because what a task noted of its stack when it adopted
 * this one may have been a word that was left there. Under the engine's
 * lock. */
static void begin(struct hp_chunk *chunk)
{
	if ((chunk->gone && tries < PATIENCE_TRIES) ||
	    hp_stage_now() != HP_STAGE_NONE || hp_transition_is_open())
		return;
	hp_view_advance();
	chunk->gone = hotpatch_generation;
}

/* @later says that it may, but not now. */
static bool can_go(struct hp_chunk *chunk, bool *later)
{
	bool possible;

	if (!is_idle(chunk))
		return false;
	hp_engine_lock();
	if (!is_known(chunk))
		begin(chunk);
	possible = chunk->gone;
	hp_engine_unlock();
	*later |= !possible;
	return possible && !chunk->lasting && chunk->image >= 0;
}

/* The first one from @from on, by address. */
static bool choose(uintptr_t from, struct attempt *attempt, bool *later)
{
	struct hp_chunk *best = NULL;
	struct hp_chunk *chunk;

	hp_redirect_enter();
	for (chunk = hp_chunk_first(); chunk; chunk = chunk->next)
		if (chunk->start >= from &&
		    (!best || chunk->start < best->start) &&
		    can_go(chunk, later))
			best = chunk;
	if (best)
		*attempt =
			(struct attempt){best->start, best->gone, best->image};
	hp_redirect_leave();
	return best;
}

/* ---- Its proof ---- */

static size_t add_handlers(struct hp_stack_range *ranges, bool *known)
{
	uintptr_t restorers[HP_ARCH_RESTORERS];
	uintptr_t vdso = HP_ARCH_RESTORER_IN_VDSO ? getauxval(AT_SYSINFO_EHDR) :
						    0;
	size_t count;
	size_t i;

	*known = hp_arch_restorers(restorers, &count);
	for (i = 0; *known && i < count; i++)
		ranges[i] =
			(struct hp_stack_range){restorers[i], restorers[i] + 1};
	if (vdso)
		ranges[count++] = (struct hp_stack_range){
			vdso, vdso + VDSO_PAGES * (size_t)getpagesize()};
	return count;
}

static bool is_clear(const struct attempt *attempt)
{
	const struct hp_task_range older = {1, attempt->gone, HP_ANY_PARITY};
	struct hp_stack_range ranges[RANGES] = {
		{attempt->start, attempt->start + HP_CHUNK_CODE}};
	struct hp_proof proof = {
		.ranges = ranges,
		.held = (uint64_t)1 << (attempt->image % 64),
		.gone = attempt->gone,
		.anywhere = true,
	};
	bool clear;

	/* After the generation was made, and the bytes were: pairs with the
	 * announcement in enter, as in lib/README.md. */
	if (!hp_barrier() || !hp_scan_none_in(&older, 1))
		return false;
	proof.count = 1 + add_handlers(ranges + 1, &clear);
	if (!clear || !hp_proof_open(&proof))
		return false;
	clear = hp_proof_tasks_are_clear(&proof);
	hp_proof_close(&proof);
	return clear;
}

/* ---- Giving it back ---- */

static void forget_trampoline(struct hp_space *space,
			      struct hp_redirected *record)
{
	struct hotpatch_slot *slot = &record->slot;

	hp_engine_lock();
	record->rest = slot->entry;
	slot->target = &record->rest;
	slot->original = slot->entry;
	slot->dispatch = slot->entry;
	/* Relaxed: whoever reads it finds this or, before, was not clear. */
	hp_store_relaxed(&slot->newest, slot->entry);
	hp_engine_unlock();
	hp_jump_give_back(space, &record->trampoline);
	record->built = false;
}

/* False if it was used, or became known, since it was chosen. */
static bool give_back(const struct attempt *attempt)
{
	struct hp_space space = {.memory = -1};
	struct hp_redirected *record;
	struct hp_chunk *chunk;
	struct hp_host *host;
	size_t index;

	chunk = hp_chunk_of(attempt->start);
	if (!chunk || chunk->gone != attempt->gone || !is_idle(chunk) ||
	    !hp_trampoline_forget_chunk(chunk))
		return false;
	for (host = hp_host_first(); host; host = host->next) {
		index = 0;
		while ((record = next_in(chunk, host, &index)))
			forget_trampoline(&space, record);
	}
	hp_chunk_give_back(&space, chunk);
	return true;
}

void hp_reclaim_count(void)
{
	const struct hp_chunk *chunk;
	size_t all = hp_relay_bytes();
	size_t idle = 0;

	for (chunk = hp_chunk_first(); chunk; chunk = chunk->next) {
		all += HP_CHUNK_SIZE;
		idle += chunk->gone ? HP_CHUNK_SIZE : 0;
	}
	hp_engine_lock();
	all_bytes = all;
	idle_bytes = idle;
	hp_engine_unlock();
}

void hp_reclaim(void)
{
	struct attempt attempt = {.start = 0};
	bool left = false;
	uintptr_t from = 0;
	bool given;

	hp_engine_lock();
	due = false;
	hp_engine_unlock();
	for (; choose(from, &attempt, &left); from = attempt.start + 1) {
		given = is_clear(&attempt);
		hp_redirect_enter();
		given = given && give_back(&attempt);
		hp_redirect_leave();
		left |= !given;
	}
	hp_redirect_enter();
	hp_reclaim_count();
	hp_redirect_leave();
	hp_engine_lock();
	due |= left;
	tries += left;
	retry_ns = hp_now_ns() +
		   (tries < PATIENCE_TRIES ? RETRY_NS : LATE_RETRY_NS);
	hp_engine_unlock();
}

void hp_redirects_bytes(size_t *mapped, size_t *idle)
{
	*mapped = all_bytes;
	*idle = idle_bytes;
}
