/* SPDX-License-Identifier: MIT */
/*
 * Which registers are read from each instruction on, through calls and jumps
 * to where they lead, and which may have been given a value before it. A caller
 * keeps a register across a call if it has a value before, is read behind, and
 * the routine leaves it alone: by the rules for calls alone it would be lost.
 */
#include "machine.h"

#include <stdlib.h>

#define NOWHERE SIZE_MAX

struct flow {
	const struct hp_machine *machine;
	struct hp_routine *routines;
	struct hp_machine_step *steps;
	const size_t *targets;
	bool changed;
};

/* Does it go on in a part of the routine, or in the routine of a part? */
static bool is_inside(const struct flow *flow, const struct hp_machine_step *at)
{
	const struct hp_routine *goal = &flow->routines[at->goal];

	return at->goal == at->routine || goal->is_part ||
	       flow->steps[at->to].address != goal->start;
}

static void add_live(const struct flow *flow, size_t index, uint64_t *live,
		     uint64_t *doubt)
{
	*live |= flow->steps[index].live;
	*doubt |= flow->steps[index].doubt;
}

/* The step behind, NOWHERE at the routine's end. */
static size_t behind(const struct flow *flow, size_t index)
{
	const struct hp_routine *routine =
		&flow->routines[flow->steps[index].routine];

	return index + 1 < routine->first + routine->count ? index + 1 :
							     NOWHERE;
}

/* Does the step put zero where the number of vectors is told? */
static bool gives_no_vectors(const struct flow *flow, size_t index)
{
	const struct hp_routine *routine =
		&flow->routines[flow->steps[index].routine];
	uint64_t count = hp_registers_of_vector_count();
	const struct hp_effect *effect;

	while (index-- > routine->first) {
		effect = &flow->steps[index].effect;
		if (effect->touches & count)
			return (effect->clears & count) != 0;
		if (effect->step != HP_STEP_ON)
			return false;
	}
	return false;
}

/* What a call's routine reads of what it is given. */
static void go_to_routine(const struct flow *flow, size_t index, uint64_t *live,
			  uint64_t *doubt)
{
	const struct hp_machine_step *step = &flow->steps[index];
	const struct hp_routine *routine = &flow->routines[step->goal];
	uint64_t varied = routine->varied & ~routine->given;
	uint64_t read = 0;
	uint64_t perhaps = 0;

	if (gives_no_vectors(flow, index))
		varied &= ~hp_registers_of_vectors();
	add_live(flow, step->to, &read, &perhaps);
	*live |= read & routine->given;
	*doubt |= (perhaps & routine->given) | ((read | perhaps) & varied);
}

static void go_to_target(const struct flow *flow, size_t index, uint64_t *live,
			 uint64_t *doubt)
{
	const struct hp_machine_step *step = &flow->steps[index];

	if (step->to != NOWHERE && is_inside(flow, step))
		add_live(flow, step->to, live, doubt);
	else if (step->to != NOWHERE)
		go_to_routine(flow, index, live, doubt);
	else
		*doubt |= step->goal == NOWHERE ? step->given :
						  HP_REGISTERS_ALL;
}

static void go_to_tables(const struct flow *flow,
			 const struct hp_machine_step *step, uint64_t *live,
			 uint64_t *doubt)
{
	const struct hp_routine *routine = &flow->routines[step->routine];
	size_t i;

	if (!routine->target_count)
		*doubt = HP_REGISTERS_ALL;
	for (i = 0; i < routine->target_count; i++)
		add_live(flow, flow->targets[routine->first_target + i], live,
			 doubt);
}

/* What the caller's own registers are behind the call, as far as the routine
 * leaves them alone, and what the routine itself reads. */
static void pass_call(const struct flow *flow, size_t index, uint64_t *live,
		      uint64_t *doubt)
{
	const struct hp_machine_step *step = &flow->steps[index];
	uint64_t left = 0;
	uint64_t given;

	if (step->goal != NOWHERE)
		left = ~flow->routines[step->goal].touched;
	*live &= left;
	*doubt &= left;
	if (step->goal != NOWHERE && step->to != NOWHERE) {
		go_to_routine(flow, index, live, doubt);
		return;
	}
	given = step->goal == NOWHERE ? step->given : HP_REGISTERS_ALL;
	if (gives_no_vectors(flow, index))
		given &= ~hp_registers_of_vectors();
	*doubt |= given;
}

static bool comes_back(const struct flow *flow,
		       const struct hp_machine_step *step)
{
	return step->effect.step != HP_STEP_CALL || step->goal == NOWHERE ||
	       flow->routines[step->goal].returns;
}

static void look_ahead(const struct flow *flow, size_t index, uint64_t *live,
		       uint64_t *doubt)
{
	const struct hp_machine_step *step = &flow->steps[index];
	const struct hp_routine *routine = &flow->routines[step->routine];
	size_t next = behind(flow, index);

	switch (step->effect.step) {
	case HP_STEP_STOP:
		return;
	case HP_STEP_RETURN:
		*live |= routine->results;
		*doubt |= routine->perhaps;
		return;
	case HP_STEP_JUMP:
		go_to_target(flow, index, live, doubt);
		return;
	case HP_STEP_JUMP_UNKNOWN:
		go_to_tables(flow, step, live, doubt);
		return;
	default:
		break;
	}
	if (next != NOWHERE && comes_back(flow, step))
		add_live(flow, next, live, doubt);
	if (step->effect.step == HP_STEP_BRANCH)
		go_to_target(flow, index, live, doubt);
	else if (step->effect.step == HP_STEP_CALL ||
		 step->effect.step == HP_STEP_CALL_UNKNOWN)
		pass_call(flow, index, live, doubt);
}

static void update_live(struct flow *flow, size_t index)
{
	struct hp_machine_step *step = &flow->steps[index];
	uint64_t doubt = step->unknown ? HP_REGISTERS_ALL : 0;
	uint64_t live = 0;

	look_ahead(flow, index, &live, &doubt);
	live = (live & ~step->effect.fills) | step->effect.reads | step->live;
	doubt = (doubt & ~step->effect.fills) | step->doubt;
	flow->changed |= live != step->live || doubt != step->doubt;
	step->live = live;
	step->doubt = doubt;
}

static void find_live(struct flow *flow)
{
	size_t i;

	do {
		flow->changed = false;
		for (i = flow->machine->steps.count; i-- > 0;)
			update_live(flow, i);
	} while (flow->changed);
}

static void define(struct flow *flow, size_t index, uint64_t defined)
{
	struct hp_machine_step *step;

	if (index == NOWHERE)
		return;
	step = &flow->steps[index];
	flow->changed |= (defined & ~step->defined) != 0;
	step->defined |= defined;
}

/* What has a value behind a step. */
static uint64_t leave(const struct flow *flow,
		      const struct hp_machine_step *step)
{
	uint64_t defined = step->defined | step->effect.touches;
	const struct hp_routine *goal;

	if (step->effect.step == HP_STEP_CALL_UNKNOWN ||
	    (step->effect.step == HP_STEP_CALL && step->goal == NOWHERE))
		return step->results;
	if (step->effect.step != HP_STEP_CALL)
		return defined;
	goal = &flow->routines[step->goal];
	return (defined & ~goal->touched) | goal->results | goal->perhaps;
}

static void define_tables(struct flow *flow, const struct hp_machine_step *step,
			  uint64_t defined)
{
	const struct hp_routine *routine = &flow->routines[step->routine];
	size_t i;

	for (i = 0; i < routine->target_count; i++)
		define(flow, flow->targets[routine->first_target + i], defined);
}

static void update_defined(struct flow *flow, size_t index)
{
	const struct hp_machine_step *step = &flow->steps[index];
	uint64_t defined = leave(flow, step);

	switch (step->effect.step) {
	case HP_STEP_JUMP:
	case HP_STEP_BRANCH:
		if (step->to != NOWHERE && is_inside(flow, step))
			define(flow, step->to, defined);
		break;
	case HP_STEP_JUMP_UNKNOWN:
		define_tables(flow, step, defined);
		break;
	default:
		break;
	}
	if (step->effect.step == HP_STEP_ON ||
	    step->effect.step == HP_STEP_BRANCH ||
	    step->effect.step == HP_STEP_CALL ||
	    step->effect.step == HP_STEP_CALL_UNKNOWN)
		define(flow, behind(flow, index), defined);
}

/* Where the flow is not all known, anything may have a value. */
static void begin_defined(struct flow *flow, const struct hp_routine *routine)
{
	size_t i;

	if (!routine->count)
		return;
	if (!routine->is_part)
		flow->steps[routine->first].defined = routine->given |
						      routine->varied;
	for (i = 0; routine->strange && i < routine->count; i++)
		flow->steps[routine->first + i].defined = HP_REGISTERS_ALL;
}

static void find_defined(struct flow *flow)
{
	size_t i;

	for (i = 0; i < flow->machine->routines.count; i++)
		begin_defined(flow, &flow->routines[i]);
	do {
		flow->changed = false;
		for (i = 0; i < flow->machine->steps.count; i++)
			update_defined(flow, i);
	} while (flow->changed);
}

void hp_machine_flow(struct hp_machine *machine)
{
	struct flow flow = {
		.machine = machine,
		.routines = machine->routines.items,
		.steps = machine->steps.items,
		.targets = machine->targets.items,
	};

	find_live(&flow);
	find_defined(&flow);
}

/* What a caller keeps across the call @edge is for. */
static bool read_keeper(const struct flow *flow, const struct hp_edge *edge,
			struct hp_keeper *keeper)
{
	const struct hp_machine_step *step = &flow->steps[edge->step];
	size_t next = behind(flow, edge->step);
	uint64_t kept;

	keeper->caller = &flow->routines[edge->from];
	keeper->callee = &flow->routines[edge->to];
	if (step->effect.step != HP_STEP_CALL || next == NOWHERE ||
	    keeper->caller->strict || !keeper->callee->returns)
		return false;
	kept = step->defined & ~keeper->callee->touched;
	keeper->registers = kept & flow->steps[next].live;
	keeper->certain = keeper->registers != 0;
	if (!keeper->certain)
		keeper->registers = kept & flow->steps[next].doubt;
	return keeper->registers != 0;
}

struct search {
	size_t *pending;
	size_t count;
	bool *seen;
};

static void put(struct search *search, size_t index)
{
	if (search->seen[index])
		return;
	search->seen[index] = true;
	search->pending[search->count++] = index;
}

void hp_machine_keepers(const struct hp_machine *machine,
			const struct hp_routine *routine,
			void (*visit)(void *context,
				      const struct hp_keeper *keeper),
			void *context)
{
	const struct flow flow = {
		.machine = machine,
		.routines = machine->routines.items,
		.steps = machine->steps.items,
	};
	const struct hp_edge *edges;
	size_t room = machine->routines.count + 1;
	struct search search = {calloc(room, sizeof(size_t)), 0,
				calloc(room, sizeof(bool))};
	struct hp_keeper keeper;
	size_t count;
	size_t at;
	size_t i;

	if (search.pending && search.seen)
		put(&search, hp_machine_index(machine, routine));
	while (search.count) {
		at = search.pending[--search.count];
		/* Of what touches everything nobody keeps anything. */
		if (flow.routines[at].touched == HP_REGISTERS_ALL)
			continue;
		edges = hp_machine_into(machine, &flow.routines[at], &count);
		for (i = 0; i < count; i++) {
			if (read_keeper(&flow, &edges[i], &keeper))
				visit(context, &keeper);
			put(&search, edges[i].from);
		}
	}
	free(search.pending);
	free(search.seen);
}
