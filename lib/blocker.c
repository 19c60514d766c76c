/* SPDX-License-Identifier: MIT */
/*
 * Who is in the way of the open transition, where, and what would help. The
 * transition's facts are copied under the engine's lock; the look at the
 * threads comes after it.
 */
#include "blocker.h"

#include "engine.h"
#include "event.h"
#include "patch.h"
#include "scan.h"
#include "slot.h"
#include "stack.h"
#include "status.h"
#include "task.h"
#include "transition.h"

#include <stdio.h>
#include <string.h>

/* The parts of one look: whose views, since when. */
struct inquiry {
	struct hp_task_range ranges[HP_TRANSITION_RANGES];
	size_t range_count;
	uint64_t began_ns;
	struct hp_stack_reader *reader;
};

/* Code that is being unmapped was proven to be on no stack. */
static bool has_image(const struct hotpatch_patch *patch)
{
	return !patch->unloading && patch->image.handle;
}

static bool is_in_image(const struct hotpatch_patch *patch, uintptr_t address)
{
	return has_image(patch) && address >= patch->image.start &&
	       address < patch->image.stop;
}

/* The slot whose old body has @address, as text; under the lock. */
static void name_function(uintptr_t address, char *text, size_t size)
{
	const struct hotpatch_patch *patch;
	const struct hp_module *module;
	uintptr_t start;
	uintptr_t stop;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next)
		if (is_in_image(patch, address))
			hp_text_copy(text, size, patch->manifest.name);
	for (module = hp_modules; module; module = module->next) {
		for (i = 0; i < module->count; i++)
			if (hp_slot_original_code(module->by_name[i], &start,
						  &stop) &&
			    address >= start && address < stop)
				hp_slot_name(module->by_name[i], text, size);
	}
}

/* What could hold a thread: all patchable bodies and all patches' images. */
static size_t suspect_ranges(struct hp_stack_range *ranges, size_t size)
{
	const struct hotpatch_patch *patch;
	const struct hp_module *module;
	size_t count = 0;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next)
		if (has_image(patch) && count < size)
			ranges[count++] = (struct hp_stack_range){
				patch->image.start, patch->image.stop};
	for (module = hp_modules; module; module = module->next)
		for (i = 0; i < module->count && count < size; i++)
			if (module->by_name[i]->top &&
			    hp_slot_original_code(module->by_name[i],
						  &ranges[count].start,
						  &ranges[count].stop))
				count++;
	return count;
}

#define SUSPECTS 256

static void look_at_stack(struct inquiry *inquiry, int thread,
			  struct hotpatch_blocker *blocker)
{
	struct hp_stack_range ranges[SUSPECTS];
	struct hp_stack_look look;
	enum hp_stack_answer answer;
	size_t count;

	if (!inquiry->reader || !thread)
		return;
	hp_engine_lock();
	count = suspect_ranges(ranges, SUSPECTS);
	hp_engine_unlock();
	answer =
		hp_stack_inspect(inquiry->reader, thread, ranges, count, &look);
	blocker->asleep = answer == HP_STACK_CLEAR ||
			  answer == HP_STACK_FOUND ||
			  answer == HP_STACK_UNKNOWN;
	if (answer != HP_STACK_FOUND)
		return;
	hp_engine_lock();
	name_function(look.found, blocker->function, sizeof(blocker->function));
	hp_engine_unlock();
}

static const char *advice_for(const struct hotpatch_blocker *blocker)
{
	if (!blocker->thread)
		return "let the scheduler run this fiber until it leaves";
	if (blocker->asleep && blocker->function[0])
		return "let it finish what it sleeps in, or wake it";
	if (blocker->asleep)
		return "wake it, or let sleepers be adopted";
	return "it runs; let it reach a safe point or leave its section";
}

/* The name of a task's fiber or thread. */
static void read_name(const struct hp_task_sight *sight, char name[16])
{
	if (sight->kind == HP_TASK_FIBER)
		memcpy(name, sight->name, sizeof(sight->name));
	else
		hp_stack_thread_name(sight->thread, name);
}

static void describe(const struct hp_task_sight *sight, char *text, size_t size)
{
	char name[16];

	read_name(sight, name);
	snprintf(text, size, "%s %s (%d)",
		 sight->kind == HP_TASK_FIBER ? "fiber" : "thread", name,
		 sight->thread);
}

/* Of those from the index *@next on, which is moved behind it. */
static bool find_next(const struct hp_task_range *ranges, size_t count,
		      size_t *next, struct hp_task_sight *sight)
{
	while (hp_scan_look((*next)++, sight))
		if (hp_scan_ranges_have(ranges, count, sight->seen))
			return true;
	return false;
}

void hp_blocker_name(const struct hp_task_range *ranges, size_t count,
		     char *text, size_t size)
{
	struct hp_task_sight sight;
	size_t next = 0;

	if (find_next(ranges, count, &next, &sight))
		describe(&sight, text, size);
	else
		hp_text_copy(text, size, "a task that has moved since");
}

#define NAMES 3

void hp_blocker_names(const struct hp_task_range *ranges, size_t count,
		      char *text, size_t size)
{
	struct hp_task_sight sight;
	unsigned int found = 0;
	size_t next = 0;
	size_t at = 0;

	hp_text_copy(text, size, "a task that has moved since");
	while (find_next(ranges, count, &next, &sight)) {
		if (found++ >= NAMES || at + 2 >= size)
			continue;
		if (found > 1)
			at += (size_t)snprintf(text + at, size - at, ", ");
		describe(&sight, text + at, size - at);
		at += strlen(text + at);
	}
	if (found > NAMES)
		snprintf(text + at, size - at, " and %u more", found - NAMES);
}

/* The first task that entered from code between the two addresses. */
static bool find_entered_from(uintptr_t start, uintptr_t stop,
			      struct hp_task_sight *sight)
{
	size_t i;

	for (i = 0; hp_scan_look(i, sight); i++)
		if (sight->kind >= HP_TASK_THREAD && sight->where >= start &&
		    sight->where < stop)
			return true;
	return false;
}

void hp_blocker_still_runs(const struct hotpatch_patch *patch, char *text,
			   size_t size)
{
	const struct hotpatch_slot *slot;
	struct hp_task_sight sight;
	uintptr_t start;
	uintptr_t stop;
	char name[16];
	size_t i;

	text[0] = '\0';
	for (i = 0; i < patch->manifest.replace_count; i++) {
		slot = patch->bindings[i].slot;
		if (!slot || !hp_slot_original_code(slot, &start, &stop) ||
		    !find_entered_from(start, stop, &sight))
			continue;
		read_name(&sight, name);
		snprintf(text, size,
			 "old version of %s still running in %s (%d)",
			 slot->name, name, sight.thread);
		return;
	}
}

static void fill(struct inquiry *inquiry, const struct hp_task_sight *sight,
		 struct hotpatch_blocker *blocker)
{
	memset(blocker, 0, sizeof(*blocker));
	blocker->thread = sight->thread;
	blocker->generation = sight->seen;
	blocker->age_ms = (hp_now_ns() - inquiry->began_ns) / 1000000u;
	read_name(sight, blocker->name);
	look_at_stack(inquiry, sight->thread, blocker);
	hp_text_copy(blocker->advice, sizeof(blocker->advice),
		     advice_for(blocker));
}

size_t hotpatch_blocker_list(struct hotpatch_blocker *blockers, size_t size)
{
	struct inquiry inquiry = {.reader = NULL};
	struct hp_task_sight sight;
	size_t count = 0;
	size_t i;

	hp_engine_lock();
	inquiry.range_count = hp_transition_ranges(inquiry.ranges);
	inquiry.began_ns = hp_transition_began_ns();
	hp_engine_unlock();
	if (inquiry.range_count == 0)
		return 0;
	if (size > 0)
		inquiry.reader = hp_stack_open();
	for (i = 0; hp_scan_look(i, &sight); i++) {
		if (!hp_scan_ranges_have(inquiry.ranges, inquiry.range_count,
					 sight.seen))
			continue;
		if (count < size)
			fill(&inquiry, &sight, &blockers[count]);
		count++;
	}
	hp_stack_close(inquiry.reader);
	return count;
}
