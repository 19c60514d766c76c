/* SPDX-License-Identifier: MIT */
/*
 * The threads' part of the proof. A thread that is not seen yet may start
 * another one in the code, so whoever comes while it is looked for is looked
 * at, too.
 */
#include "proof.h"

#include "blocker.h"
#include "engine.h"
#include "loop.h"
#include "scan.h"
#include "step.h"
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PASSES 8

static bool fails(struct hp_proof *proof, int thread, const char *name,
		  const char *why)
{
	char read_name[16];

	if (!name) {
		hp_stack_thread_name(thread, read_name);
		name = read_name;
	}
	snprintf(proof->who, sizeof(proof->who), "thread %s (%d) %s", name,
		 thread, why);
	return false;
}

bool hp_proof_has(const struct hp_proof *proof, uintptr_t address)
{
	size_t i;

	for (i = 0; i < proof->count; i++)
		if (address - proof->ranges[i].start <
		    proof->ranges[i].stop - proof->ranges[i].start)
			return true;
	return false;
}

/* The frames that a task had when it entered last and is likely to have. */
static bool task_is_clear(struct hp_proof *proof,
			  const struct hp_task_sight *sight)
{
	const char *name = sight->kind == HP_TASK_FIBER ? sight->name : NULL;
	struct hp_stack_look look;

	if (hp_proof_has(proof, sight->where))
		return fails(proof, sight->thread, name,
			     "runs a loop of the old version");
	if (sight->held & proof->held)
		return fails(proof, sight->thread, name,
			     "returns to the old version");
	if (!sight->frame ||
	    (sight->kind == HP_TASK_FIBER && !sight->stack_stop))
		return true;
	switch (hp_stack_search(proof->reader, sight->frame, sight->stack_stop,
				proof->ranges, proof->count, &look)) {
	case HP_STACK_CLEAR:
		return true;
	case HP_STACK_FOUND:
		return fails(proof, sight->thread, name,
			     "was called from the old version");
	default:
		return fails(proof, sight->thread, name, look.why);
	}
}

/*
 * Searched first; unwound if something was found, because the frames of whoever
 * calls often hold what an earlier call of the old version left there.
 */
static bool own_stack_is_clear(struct hp_proof *proof)
{
	struct hp_stack_look look;

	if (hp_stack_search(proof->reader, hp_engine_caller_frame(), 0,
			    proof->ranges, proof->count,
			    &look) == HP_STACK_CLEAR ||
	    hp_stack_unwinds_clear(proof->ranges, proof->count))
		return true;
	return fails(proof, proof->self, NULL,
		     "asks for it from the old version");
}

static bool stranger_is_clear(struct hp_proof *proof, int thread)
{
	struct hp_stack_look look;

	switch (hp_stack_inspect(proof->reader, thread, proof->ranges,
				 proof->count, &look)) {
	case HP_STACK_CLEAR:
	case HP_STACK_GONE:
		return true;
	case HP_STACK_FOUND:
		return fails(proof, thread, NULL, "is in the old version");
	case HP_STACK_RUNS:
		return fails(proof, thread, NULL,
			     "runs outside of any section");
	default:
		return fails(proof, thread, NULL, look.why);
	}
}

/* Finds the record of a thread; false if it is no task. */
static bool find_task(int thread, struct hp_task_sight *sight)
{
	size_t i;

	for (i = 0; hp_scan_look(i, sight); i++)
		if (sight->kind == HP_TASK_THREAD && sight->thread == thread)
			return true;
	return false;
}

static bool thread_is_clear(struct hp_proof *proof, int thread)
{
	struct hp_task_sight sight;
	bool is_task = find_task(thread, &sight);

	hp_step(PROVE_THREAD);
	if (thread == proof->self)
		return own_stack_is_clear(proof);
	if (is_task)
		return task_is_clear(proof, &sight) &&
		       (!proof->anywhere || sight.seen ||
			stranger_is_clear(proof, thread));
	if (hp_loop_has_passed(thread, proof->gone))
		return true;
	return !HP_KEEP(STRANGERS) || stranger_is_clear(proof, thread);
}

/* One that is suspended has what it returns to on its stack, wherever in it
 * that ends; with what calls before left there. */
static bool whole_stack_is_clear(struct hp_proof *proof,
				 const struct hp_task_sight *sight)
{
	struct hp_stack_look look;

	if (!sight->stack_start)
		return fails(proof, sight->thread, sight->name,
			     "has a stack that was not declared");
	switch (hp_stack_search(proof->reader, sight->stack_start,
				sight->stack_stop, proof->ranges, proof->count,
				&look)) {
	case HP_STACK_CLEAR:
		return true;
	case HP_STACK_FOUND:
		return fails(proof, sight->thread, sight->name,
			     "is in the old version, or was before");
	default:
		return fails(proof, sight->thread, sight->name, look.why);
	}
}

/*
 * Who is in no section may be in a function that was not marked. A look counts
 * if the fiber did not begin to run meanwhile; the barriers, on both sides of
 * it, order it and what fibers do to their stacks.
 */
static bool resting_fiber_is_clear(struct hp_proof *proof, size_t index,
				   const struct hp_task_sight *before)
{
	bool runs = before->thread && hp_stack_thread_lives(before->thread);
	struct hp_task_sight after;

	if (before->thread == proof->self)
		return true; /* own_stack_is_clear() tells */
	if (!hp_barrier())
		return fails(proof, before->thread, before->name,
			     "cannot be looked at without membarrier");
	if (!(runs ? stranger_is_clear(proof, before->thread) :
		     whole_stack_is_clear(proof, before)))
		return false;
	if (hp_barrier() && hp_scan_look(index, &after) &&
	    after.turns == before->turns && after.thread == before->thread)
		return true;
	return fails(proof, before->thread, before->name,
		     "runs outside of any section");
}

static bool fibers_are_clear(struct hp_proof *proof)
{
	struct hp_task_sight sight;
	size_t i;

	for (i = 0; hp_scan_look(i, &sight); i++) {
		if (sight.kind != HP_TASK_FIBER)
			continue;
		if (!task_is_clear(proof, &sight))
			return false;
		if (proof->anywhere && (!sight.seen || !sight.stack_stop) &&
		    !resting_fiber_is_clear(proof, i, &sight))
			return false;
	}
	return true;
}

/* All thread ids, in memory of the caller's; -1 if they cannot be had. */
static long list_threads(int **threads)
{
	long count = hp_stack_threads(NULL, 0);
	size_t room;

	while (count >= 0) {
		room = (size_t)count + 16;
		*threads = malloc(room * sizeof(**threads));
		if (!*threads)
			return -1;
		count = hp_stack_threads(*threads, room);
		if (count >= 0 && (size_t)count <= room)
			return count;
		free(*threads);
		*threads = NULL;
	}
	return -1;
}

static bool is_among(int thread, const int *threads, long count)
{
	long i;

	for (i = 0; i < count; i++)
		if (threads[i] == thread)
			return true;
	return false;
}

/*
 * One pass over all threads that are not in @known. A thread that is not seen
 * yet may start another one in the old code, so passes are made until one
 * finds nobody new; @known then has everybody.
 */
static bool pass(struct hp_proof *proof, int **known, long *known_count,
		 bool *changed)
{
	int *threads = NULL;
	long count = list_threads(&threads);
	bool clear = count >= 0;
	long i;

	*changed = false;
	if (!clear)
		fails(proof, proof->self, NULL, "cannot list the threads");
	for (i = 0; clear && i < count; i++) {
		if (is_among(threads[i], *known, *known_count))
			continue;
		*changed = true;
		clear = thread_is_clear(proof, threads[i]);
	}
	free(*known);
	*known = threads;
	*known_count = count;
	return clear;
}

static bool threads_are_clear(struct hp_proof *proof)
{
	int *known = NULL;
	long count = 0;
	bool changed = true;
	bool clear = true;
	int passes = 0;

	while (clear && changed && passes++ < PASSES)
		clear = pass(proof, &known, &count, &changed);
	free(known);
	if (clear && changed)
		return fails(proof, proof->self, NULL,
			     "found new threads without end");
	return clear;
}

/* Is /proc missing, closed to us or not as expected? A lack of memory or of
 * descriptors is another thing: it passes. */
static bool is_hopeless(int cause)
{
	return cause == 0 || cause == ENOENT || cause == EACCES ||
	       cause == EPERM;
}

bool hp_proof_open(struct hp_proof *proof)
{
	proof->self = (int)syscall(SYS_gettid);
	errno = 0;
	proof->reader = hp_stack_open();
	proof->hopeless = !proof->reader && is_hopeless(errno);
	if (!proof->reader)
		snprintf(proof->who, sizeof(proof->who),
			 "the process's threads cannot be looked at in /proc");
	return proof->reader;
}

bool hp_proof_tasks_are_clear(struct hp_proof *proof)
{
	return fibers_are_clear(proof) && threads_are_clear(proof);
}

void hp_proof_close(struct hp_proof *proof)
{
	hp_stack_close(proof->reader);
	proof->reader = NULL;
}
