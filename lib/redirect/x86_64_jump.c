/* SPDX-License-Identifier: MIT */
/*
 * A function whose first instruction is shorter than a jump gets a jump all the
 * same: its last bytes are those of the instruction behind, which stay as they
 * are, and which so decide where the jump leads to; a page is mapped there for
 * the relay. (Published as instruction punning: Chamith and others, PLDI 2017.)
 *
 * Where nothing is free there, the second instruction gives way, too: it
 * becomes a jump of its own to where it was moved, so that a thread that comes
 * to it, from wherever, does what it did. Its first byte is then that of a
 * jump; the others may be chosen, and both jumps share them.
 *
 * Where the compiler left nops of one byte, a thread may be at any of them.
 * They cannot become one long instruction, but each can become another one that
 * does nothing, so that is what the jump's other bytes are chosen from.
 */
#include "jump.h"

#include <errno.h>
#include <string.h>

#define OPCODE 0xe9
#define NOP 0x90
#define TRAP 0xcc
#define REACH ((uintptr_t)1 << 31)
#define ATTEMPTS 1024u

/* The bytes from the function's head on, and which of them may be chosen. */
struct plan {
	uintptr_t head;
	uint8_t bytes[HP_EDIT_SIZE];
	size_t first;	/* written of the first instruction */
	size_t written; /* altogether */
};

static bool jump_through(uint8_t bytes[HP_THROUGH_SIZE], uintptr_t at,
			 uintptr_t target)
{
	int64_t wide = (int64_t)(target - (at + HP_THROUGH_SIZE));
	int32_t narrow = (int32_t)wide;

	bytes[0] = 0xff;
	bytes[1] = 0x25;
	memcpy(bytes + 2, &narrow, sizeof(narrow));
	return narrow == wide;
}

/* movabs $slot, %r11; jmp *dispatch(%rip) */
static bool write_detour(uint8_t *bytes, uintptr_t at,
			 const struct hotpatch_slot *slot, uintptr_t dispatch)
{
	uintptr_t address = (uintptr_t)slot;

	bytes[0] = 0x49;
	bytes[1] = 0xbb;
	memcpy(bytes + 2, &address, sizeof(address));
	return jump_through(bytes + 10, at + 10, dispatch);
}

bool hp_jump_write(const struct hp_trampoline *trampoline,
		   const struct hotpatch_slot *slot, uintptr_t dispatch,
		   uint8_t bytes[HP_TRAMPOLINE_SIZE])
{
	memset(bytes, TRAP, HP_TRAMPOLINE_SIZE);
	return jump_through(bytes, trampoline->code,
			    (uintptr_t)trampoline->target) &&
	       write_detour(bytes + HP_DISPATCH_AT, trampoline->dispatch, slot,
			    dispatch);
}

/* A plain jump at @at; false if @to is out of reach. */
static bool jump_to(uint8_t bytes[HP_JUMP_SIZE], uintptr_t at, uintptr_t to)
{
	int64_t wide = (int64_t)(to - (at + HP_JUMP_SIZE));
	int32_t narrow = (int32_t)wide;

	bytes[0] = OPCODE;
	memcpy(bytes + 1, &narrow, sizeof(narrow));
	return narrow == wide;
}

/* Where the jump at byte @index of the plan leads to. */
static uintptr_t target_of(const struct plan *plan, size_t index)
{
	int32_t narrow;

	memcpy(&narrow, plan->bytes + index + 1, sizeof(narrow));
	return plan->head + index + HP_JUMP_SIZE + (uintptr_t)(intptr_t)narrow;
}

/* The part of the range that @to can be reached from. */
static bool limit_range(uintptr_t to, uintptr_t *low, uintptr_t *high)
{
	uintptr_t lowest = to > REACH ? to - REACH + HP_PAGE : 0;
	uintptr_t highest = to + REACH - HP_PAGE;

	if (*low > *high) /* around the end of the address space */
		return false;
	if (*low < lowest)
		*low = lowest;
	if (*high > highest)
		*high = highest;
	return *low <= *high;
}

/* The first jump's relay, where its chosen upper bytes lead to; the lower ones
 * follow from the place that is found. */
static bool take_first(struct hp_space *space, struct plan *plan,
		       const struct hp_trampoline *trampoline,
		       struct hp_relay *relay)
{
	unsigned int free_bits = (unsigned int)(plan->first - 1) * 8;
	uintptr_t low;
	uintptr_t high;

	memset(plan->bytes + 1, 0, plan->first - 1);
	low = target_of(plan, 0);
	high = low + (((uintptr_t)1 << free_bits) - 1);
	return limit_range((uintptr_t)trampoline->target, &low, &high) &&
	       hp_relay_take(space, low, high, HP_THROUGH_SIZE, relay) &&
	       jump_to(plan->bytes, plan->head, relay->start);
}

/* The @turn-th choice for the bytes of the plan from @from to @to, the last of
 * which counts most; false if there are no more. */
static bool choose(struct plan *plan, size_t from, size_t to, size_t turn)
{
	size_t i;

	if (from >= to)
		return turn == 0;
	plan->bytes[to - 1] = (uint8_t)(turn + 16);
	for (i = from; i + 1 < to; i++)
		plan->bytes[i] = (uint8_t)(turn / 256 * 61 + i * 16);
	return turn < (to - from > 1 ? ATTEMPTS : 256);
}

/* nop, cmc, clc, stc, cld: at a function's entry no flag has a meaning but that
 * of the direction, which is clear. */
static const uint8_t idle[] = {NOP, 0xf5, 0xf8, 0xf9, 0xfc};

/* Is there room for a jump in nops of one byte? */
static bool has_nops(const struct hp_function *function)
{
	return function->tier == 0 && function->length == 1 &&
	       function->bytes[function->skip] == NOP;
}

/* The @turn-th choice of them for the bytes behind the first; at first they are
 * what is there already. False if there are no more. */
static bool choose_idle(struct plan *plan, size_t turn)
{
	size_t rest = turn;
	size_t i;

	for (i = HP_JUMP_SIZE; i-- > 1; rest /= sizeof(idle))
		plan->bytes[i] = idle[rest % sizeof(idle)];
	plan->written = turn ? HP_JUMP_SIZE : 1;
	return rest == 0;
}

static bool take_idle(struct hp_space *space, struct plan *plan,
		      const struct hp_trampoline *trampoline,
		      struct hp_relay *relay)
{
	size_t turn;

	for (turn = 0; choose_idle(plan, turn); turn++)
		if (take_first(space, plan, trampoline, relay))
			return true;
	return false;
}

static size_t most(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The second jump's relay, for bytes that are the first one's, too. */
static bool take_second(struct hp_space *space, struct plan *plan, uintptr_t to,
			struct hp_relay *relay)
{
	size_t turn;
	uintptr_t low;
	uintptr_t high;

	for (turn = 0; choose(plan, HP_JUMP_SIZE, plan->written, turn);
	     turn++) {
		low = target_of(plan, plan->first);
		high = low;
		if (limit_range(to, &low, &high) &&
		    hp_relay_take(space, low, high, HP_JUMP_SIZE, relay))
			return true;
	}
	return false;
}

static bool take_pair(struct hp_space *space, struct plan *plan,
		      struct hp_trampoline *trampoline)
{
	uintptr_t to = trampoline->original + trampoline->moved.second;
	struct hp_relay *relays = trampoline->relays;
	size_t turn;

	plan->bytes[0] = OPCODE;
	plan->bytes[plan->first] = OPCODE;
	for (turn = 0; choose(plan, plan->first + 1,
			      least(HP_JUMP_SIZE, plan->written), turn);
	     turn++) {
		if (!take_first(space, plan, trampoline, &relays[0]))
			continue;
		if (take_second(space, plan, to, &relays[1]))
			return true;
		hp_relay_give_back(space, &relays[0]);
	}
	return false;
}

static bool write_relays(const struct hp_space *space,
			 const struct hp_trampoline *trampoline)
{
	const struct hp_relay *relays = trampoline->relays;
	uint8_t bytes[HP_THROUGH_SIZE];

	if (relays[0].start && (!jump_through(bytes, relays[0].start,
					      (uintptr_t)trampoline->target) ||
				!hp_relay_put(space, &relays[0], bytes)))
		return false;
	return !relays[1].start ||
	       (jump_to(bytes, relays[1].start,
			trampoline->original + trampoline->moved.second) &&
		hp_relay_put(space, &relays[1], bytes));
}

void hp_jump_give_back(struct hp_space *space, struct hp_trampoline *trampoline)
{
	if (trampoline->relays[1].start)
		hp_relay_give_back(space, &trampoline->relays[1]);
	if (trampoline->relays[0].start)
		hp_relay_give_back(space, &trampoline->relays[0]);
}

static enum hotpatch_status finish(struct hp_space *space,
				   const struct plan *plan,
				   struct hp_trampoline *trampoline)
{
	int cause;

	memcpy(trampoline->jump, plan->bytes, sizeof(trampoline->jump));
	trampoline->jump_size = (uint8_t)plan->written;
	trampoline->extent = (uint8_t)(trampoline->relays[1].start ?
					       plan->first + HP_JUMP_SIZE :
					       most(plan->first, HP_JUMP_SIZE));
	if (write_relays(space, trampoline))
		return HOTPATCH_OK;
	cause = errno;
	hp_jump_give_back(space, trampoline);
	errno = cause;
	return cause == ENOMEM ? HOTPATCH_E_NO_MEMORY : HOTPATCH_E_TEXT;
}

/* Where there is room for a whole jump. Through the target itself it is one
 * jump less for callers. */
static bool jump_whole(struct plan *plan,
		       const struct hp_trampoline *trampoline)
{
	if (plan->first == HP_THROUGH_SIZE)
		return jump_through(plan->bytes, plan->head,
				    (uintptr_t)trampoline->target);
	return jump_to(plan->bytes, plan->head, trampoline->code);
}

enum hotpatch_status hp_jump_place(struct hp_space *space,
				   const struct hp_function *function,
				   uintptr_t head,
				   struct hp_trampoline *trampoline)
{
	uintptr_t start = head - function->skip;
	struct plan plan = {.head = head, .first = function->written};
	const uint8_t *bytes = function->bytes + function->skip;
	size_t left = (size_t)(function->byte_count - function->skip);

	if (!plan.first)
		return HOTPATCH_E_NO_ROOM;
	plan.written = function->written;
	memcpy(plan.bytes, bytes, least(left, sizeof(plan.bytes)));
	if (!hp_relocate(function->bytes, function->byte_count, start,
			 trampoline->original, 1, &trampoline->moved))
		return HOTPATCH_E_IMMUTABLE;
	if (plan.first >= HP_JUMP_SIZE)
		return jump_whole(&plan, trampoline) ?
			       finish(space, &plan, trampoline) :
			       HOTPATCH_E_NO_ROOM;
	if (has_nops(function))
		return take_idle(space, &plan, trampoline,
				 &trampoline->relays[0]) ?
			       finish(space, &plan, trampoline) :
			       hp_space_failure(space);
	if (take_first(space, &plan, trampoline, &trampoline->relays[0]))
		return finish(space, &plan, trampoline);
	if (space->cause)
		return hp_space_failure(space);
	if (!function->next_written)
		return HOTPATCH_E_NO_ROOM;
	memcpy(plan.bytes, bytes, least(left, sizeof(plan.bytes)));
	plan.written += function->next_written;
	if (!hp_relocate(function->bytes, function->byte_count, start,
			 trampoline->original, 2, &trampoline->moved))
		return HOTPATCH_E_IMMUTABLE;
	if (!take_pair(space, &plan, trampoline))
		return hp_space_failure(space);
	return finish(space, &plan, trampoline);
}
