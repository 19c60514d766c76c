/* SPDX-License-Identifier: MIT */
/*
 * A function's first instruction becomes one branch, which reaches 128 MiB; its
 * trampoline is taken where that reaches it. The page that it is in is mapped
 * anew, so an instruction that was a landing pad and is no more, paciasp, is
 * not missed: a new mapping asks for none.
 */
#include "jump.h"

#include <string.h>

#define SIZE ((size_t)4)
#define JUMP UINT32_C(0x14000000)
/* Leaves what the trampoline's own branches are further away. */
#define REACH ((INT64_C(1) << 27) - 4096)
#define LOAD_X16 UINT32_C(0x58000010)
#define LOAD_X17 UINT32_C(0x58000011)
#define BR_X16 UINT32_C(0xd61f0200)
#define TRAP UINT32_C(0xd4200000)
#define SLOT_AT 24u

/* ldr of the literal at @from, for an instruction at @at. */
static bool load(uint8_t *bytes, uint32_t word, uintptr_t at, uintptr_t from)
{
	int64_t distance = (int64_t)(from - at);

	word |= ((uint32_t)(distance / (int64_t)SIZE) & 0x7ffff) << 5;
	memcpy(bytes, &word, SIZE);
	return distance >= -(INT64_C(1) << 20) && distance < INT64_C(1) << 20;
}

static void put(uint8_t *bytes, uint32_t word)
{
	memcpy(bytes, &word, SIZE);
}

bool hp_jump_write(const struct hp_trampoline *trampoline,
		   const struct hotpatch_slot *slot, uintptr_t dispatch,
		   uint8_t bytes[HP_TRAMPOLINE_SIZE])
{
	uintptr_t code = trampoline->code;
	uintptr_t address = (uintptr_t)slot;
	size_t i;

	for (i = 0; i < HP_TRAMPOLINE_SIZE; i += SIZE)
		put(bytes + i, TRAP);
	put(bytes + SIZE, BR_X16);
	put(bytes + HP_DISPATCH_AT + 2 * SIZE, BR_X16);
	memcpy(bytes + SLOT_AT, &address, sizeof(address));
	return load(bytes, LOAD_X16, code, (uintptr_t)trampoline->target) &&
	       load(bytes + HP_DISPATCH_AT, LOAD_X17, code + HP_DISPATCH_AT,
		    code + SLOT_AT) &&
	       load(bytes + HP_DISPATCH_AT + SIZE, LOAD_X16,
		    code + HP_DISPATCH_AT + SIZE, dispatch);
}

void hp_jump_give_back(struct hp_space *space, struct hp_trampoline *trampoline)
{
	(void)space; /* there are no relays */
	(void)trampoline;
}

enum hotpatch_status hp_jump_place(struct hp_space *space,
				   const struct hp_function *function,
				   uintptr_t head,
				   struct hp_trampoline *trampoline)
{
	int64_t distance = (int64_t)(trampoline->code - head);
	uint32_t word = JUMP |
			((uint32_t)(distance / (int64_t)SIZE) & 0x03ffffff);

	(void)space;
	if (function->written < SIZE || distance < -REACH || distance >= REACH)
		return HOTPATCH_E_NO_ROOM;
	if (!hp_relocate(function->bytes, function->byte_count,
			 head - function->skip, trampoline->original, 1,
			 &trampoline->moved))
		return HOTPATCH_E_IMMUTABLE;
	memcpy(trampoline->jump, &word, SIZE);
	trampoline->jump_size = SIZE;
	trampoline->extent = SIZE;
	return HOTPATCH_OK;
}
