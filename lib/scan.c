/* SPDX-License-Identifier: MIT */
/*
 * Looks at records while their tasks go on, so that each word is read by itself
 * and may be another one by the time the next is read.
 */
#include "scan.h"

#include "arena.h"
#include "atomic.h"
#include "step.h"

#include <string.h>

static bool range_has(const struct hp_task_range *range, uint64_t seen)
{
	if (seen < range->first || seen >= range->limit)
		return false;
	return range->parity == HP_ANY_PARITY ||
	       ((seen - range->first) & 1) == range->parity;
}

bool hp_scan_ranges_have(const struct hp_task_range *ranges, size_t count,
			 uint64_t seen)
{
	size_t i;

	for (i = 0; seen && i < count; i++)
		if (range_has(&ranges[i], seen))
			return true;
	return false;
}

bool hp_scan_none_in(const struct hp_task_range *ranges, size_t count)
{
	size_t last = hp_arena_used();
	uint64_t seen;
	size_t i;

	for (i = 0; i < last; i++) {
		hp_step(LOOK);
		/* Fenced pairs with publish_fenced(), and its acquire with the
		 * release in leave: what old sections did is done. */
		seen = hp_load_fenced(&hp_arena_record(i)->head.seen);
		if (hp_scan_ranges_have(ranges, count, seen))
			return false;
	}
	return true;
}

uint64_t hp_scan_oldest(void)
{
	size_t last = hp_arena_used();
	uint64_t oldest = UINT64_MAX;
	uint64_t seen;
	size_t i;

	for (i = 0; i < last; i++) {
		seen = hp_load_fenced(
			&hp_arena_record(i)->head.seen); /* as above */
		if (seen && seen < oldest)
			oldest = seen;
	}
	return oldest;
}

bool hp_scan_look(size_t index, struct hp_task_sight *sight)
{
	const struct hp_task_detail *detail;
	struct hp_task *task;

	if (index >= hp_arena_used())
		return false;
	task = hp_arena_record(index);
	detail = hp_arena_detail(index);
	/* Acquire pairs with register_thread() and hotpatch_task_create(). */
	sight->kind = (enum hp_task_kind)hp_load_acquire(&task->kind);
	sight->seen = hp_load_acquire(&task->head.seen); /* as in the scan */
	/* Relaxed: each is one word, valid on its own, and the caller holds
	 * the view that it asks about still. */
	sight->thread = hp_load_relaxed(&task->thread);
	sight->held = hp_load_relaxed(&task->held);
	sight->frame = (uintptr_t)hp_load_relaxed(&task->head.frame);
	sight->where = (uintptr_t)hp_load_relaxed(&task->head.where);
	sight->stack_start = hp_load_relaxed(&detail->stack_start);
	sight->stack_stop = hp_load_relaxed(&task->stack_stop);
	sight->turns = hp_load_relaxed(&task->head.reserved);
	memcpy(sight->name, detail->name, sizeof(sight->name));
	return true;
}

bool hp_scan_adopt_for(size_t index, uint64_t from, uint64_t to)
{
	hp_step(ADOPT_FOR);
	return hp_replace(&hp_arena_record(index)->head.seen, from, to);
}

size_t hp_scan_count(void)
{
	size_t last = hp_arena_used();
	size_t count = 0;
	size_t i;

	for (i = 0; i < last; i++)
		/* Relaxed: a figure for people. */
		count += hp_load_relaxed(&hp_arena_record(i)->kind) >=
			 HP_TASK_THREAD;
	return count;
}
