/* SPDX-License-Identifier: MIT */
/*
 * All code is decoded once for the targets of its branches; then each function
 * is judged by what leads into its first bytes.
 *
 * Every instruction that is overwritten becomes a jump that begins where it
 * began, so what cannot point into the middle of an instruction is no danger
 * wherever it points: return addresses, jump tables, interrupted threads. Where
 * a function's own loop leads back to its first instruction, a round of the
 * loop would look like a call.
 */
#include "judge.h"

#include "decode.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE 24 /* a landing pad and two instructions at most */

struct target {
	uint64_t to;
	uint64_t from; /* UINT64_MAX if it is no jump */
};

struct survey {
	const struct hp_elf *elf;
	struct hp_function *functions;
	size_t count;
	struct hp_list targets;
};

static bool add_target(struct survey *survey, uint64_t to, uint64_t from)
{
	struct target *target =
		hp_list_append(&survey->targets, sizeof(*target), 1);

	if (!target)
		return false;
	target->to = to;
	target->from = from;
	return true;
}

/* Decodes what lies between two places where code begins. What is no
 * instruction is data, or code after data: a byte further there may be one. */
static bool sweep(struct survey *survey, uint64_t start, uint64_t stop)
{
	const unsigned char *bytes =
		hp_elf_at(survey->elf, start, stop - start);
	struct hp_instruction instruction;
	uint64_t at = 0;
	bool going = true;

	for (; bytes && going && at < stop - start; at += instruction.length) {
		if (!hp_decode(bytes + at, stop - start - at, start + at,
			       &instruction)) {
			instruction.length = 1;
			continue;
		}
		if (instruction.flow == HP_FLOW_JUMP ||
		    instruction.flow == HP_FLOW_BRANCH)
			going = add_target(survey, instruction.target,
					   start + at);
		else if (instruction.flow == HP_FLOW_CALL)
			going = add_target(survey, instruction.target,
					   UINT64_MAX);
	}
	return going;
}

static int compare_targets(const void *a, const void *b)
{
	const struct target *one = a;
	const struct target *other = b;

	return one->to < other->to ? -1 : one->to > other->to;
}

static bool visit_pointer(uint64_t to, void *argument)
{
	return add_target(argument, to, UINT64_MAX);
}

static bool sweep_all(struct survey *survey)
{
	const struct hp_function *functions = survey->functions;
	size_t count = survey->count;
	uint64_t at = survey->elf->text_start;
	bool complete = true;
	size_t i;

	for (i = 0; i < count && complete; i++) {
		complete = sweep(survey, at, functions[i].start);
		at = functions[i].start;
	}
	if (!complete || !sweep(survey, at, survey->elf->text_stop) ||
	    !hp_elf_each_pointer(survey->elf, visit_pointer, survey))
		return false;
	if (survey->targets.count)
		qsort(survey->targets.items, survey->targets.count,
		      sizeof(struct target), compare_targets);
	return true;
}

/* The first target at or behind @address. */
static const struct target *first_target(const struct hp_list *targets,
					 uint64_t address)
{
	const struct target *items = targets->items;
	size_t low = 0;
	size_t high = targets->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (items[middle].to < address)
			low = middle + 1;
		else
			high = middle;
	}
	return items + low;
}

/* Something leads to @to: what lies from there on is not to be written, except
 * where an instruction begins. */
static void judge_entry(struct hp_function *function, uint64_t to)
{
	uint64_t head = function->start + function->skip;
	uint64_t next = head + function->length;

	if (to > head && to < head + function->written)
		function->written = (uint8_t)(to - head);
	if (to > next && to < next + function->next_written)
		function->next_written = (uint8_t)(to - next);
}

/* The last function that begins at or before @address, or NULL. */
static const struct hp_function *around(const struct survey *survey,
					uint64_t address)
{
	const struct hp_function *functions = survey->functions;
	size_t low = 0;
	size_t high = survey->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &functions[low - 1] : NULL;
}

/* Is it a jump of the function itself, or of a part that was split off one? */
static bool is_own(const struct survey *survey,
		   const struct hp_function *function,
		   const struct target *target)
{
	const struct hp_function *source;

	if (target->from == UINT64_MAX)
		return false;
	if (target->from >= function->start && target->from < function->stop)
		return true;
	source = around(survey, target->from);
	return source && source->refusal == HOTPATCH_REFUSAL_PART;
}

/* What leads into the function's first bytes? */
static void judge_targets(const struct survey *survey,
			  struct hp_function *function)
{
	const struct target *target =
		first_target(&survey->targets, function->start);
	const struct target *end =
		(const struct target *)survey->targets.items +
		survey->targets.count;
	uint64_t head = function->start + function->skip;

	for (; target < end &&
	       target->to < head + function->length + HP_JUMP_SIZE;
	     target++) {
		judge_entry(function, target->to);
		if (target->to <= head && is_own(survey, function, target))
			function->refusal = HOTPATCH_REFUSAL_LOOP;
	}
}

/* The second instruction serves only if the first is written whole, and it
 * belongs to the same function. */
static void judge_pair(struct hp_function *function)
{
	if (function->written != function->length ||
	    function->start + function->skip + function->length +
			    function->next_written >
		    function->stop)
		function->next_written = 0;
}

static uint8_t at_most_a_jump(uint8_t length)
{
	return length < HP_JUMP_SIZE ? length : HP_JUMP_SIZE;
}

static void judge(const struct survey *survey, struct hp_function *function)
{
	uint64_t left = hp_elf_left(survey->elf, function->start);
	enum hotpatch_refusal given = (enum hotpatch_refusal)function->refusal;
	const unsigned char *bytes;
	struct hp_head head;

	if (given == HOTPATCH_REFUSAL_NONE)
		function->refusal = HOTPATCH_REFUSAL_UNDECODABLE;
	if (left > sizeof(function->bytes))
		left = sizeof(function->bytes);
	bytes = hp_elf_at(survey->elf, function->start, left);
	if (!bytes)
		return;
	memcpy(function->bytes, bytes, left);
	function->byte_count = (uint8_t)left;
	if (given != HOTPATCH_REFUSAL_NONE)
		return;
	if (!hp_decode_head(bytes, left, &head) ||
	    left < (uint64_t)head.skip + HP_JUMP_SIZE)
		return;
	function->skip = head.skip;
	function->length = head.length;
	function->written = head.length < HP_THROUGH_SIZE ? head.length :
							    HP_THROUGH_SIZE;
	if (head.length < HP_JUMP_SIZE &&
	    left >= (uint64_t)head.skip + head.length + HP_JUMP_SIZE)
		function->next_written = at_most_a_jump(head.next_length);
	function->refusal = head.movable ? HOTPATCH_REFUSAL_NONE :
					   HOTPATCH_REFUSAL_IMMOVABLE;
	if (head.movable)
		judge_targets(survey, function);
	function->tier = head.prepared && function->start + function->skip +
							  HP_JUMP_SIZE <=
						  function->stop ?
				 0 :
				 1;
}

bool hp_judge(const struct hp_elf *elf, struct hp_function *functions,
	      size_t count)
{
	struct survey survey = {elf, functions, count, {NULL, 0, 0}};
	bool complete = sweep_all(&survey);
	size_t i;
	size_t j;

	for (i = 0; i < count && complete; i++) {
		/* What has no size ends where the next begins. */
		if (functions[i].stop == functions[i].start && i + 1 < count)
			functions[i].stop = functions[i + 1].start;
		judge(&survey, &functions[i]);
		for (j = i + 1;
		     j < count &&
		     functions[j].start < functions[i].start + HEAD_SIZE;
		     j++)
			judge_entry(&functions[i], functions[j].start);
		judge_pair(&functions[i]);
		if (functions[i].tier && functions[i].written < HP_JUMP_SIZE)
			functions[i].tier = 2;
	}
	free(survey.targets.items);
	return complete;
}
