/* SPDX-License-Identifier: MIT */
/*
 * aarch64: instructions of four bytes. Only those count that depend on where
 * they lie (Arm ARM, C4.1): branches, adr and adrp, loads of literals. What
 * they lead to or take is reached from anywhere in four steps (movz and movk)
 * and x16, which is free where a function begins.
 */
#include "decode.h"

#include <string.h>

#define BLR UINT32_C(0xd63f0000) /* and those that authenticate */
#define BLR_MASK UINT32_C(0xfeff0000)
#define SIZE 4
#define NOP UINT32_C(0xd503201f)
#define BTI_C UINT32_C(0xd503245f)
#define BTI_JC UINT32_C(0xd50324df)
#define JUMP UINT32_C(0x14000000)
#define MOVZ UINT32_C(0xd2800000)
#define MOVK UINT32_C(0xf2800000)
#define BR_X16 UINT32_C(0xd61f0200)
#define BLR_X16 UINT32_C(0xd63f0200)
#define SCRATCH 16u

enum kind {
	KIND_PLAIN,
	KIND_JUMP,    /* b */
	KIND_CALL,    /* bl */
	KIND_BRANCH,  /* b.cond, cbz, cbnz: 19 bits of distance */
	KIND_TEST,    /* tbz, tbnz: 14 bits */
	KIND_ADDRESS, /* adr */
	KIND_PAGE,    /* adrp */
	KIND_LITERAL, /* ldr of a literal */
	KIND_INDIRECT,
	KIND_END,
};

static enum kind kind_of(uint32_t word)
{
	if ((word & 0xfc000000) == JUMP)
		return KIND_JUMP;
	if ((word & 0xfc000000) == 0x94000000)
		return KIND_CALL;
	if ((word & 0xff000000) == 0x54000000 ||
	    (word & 0x7e000000) == 0x34000000)
		return KIND_BRANCH;
	if ((word & 0x7e000000) == 0x36000000)
		return KIND_TEST;
	if ((word & 0x1f000000) == 0x10000000)
		return word >> 31 ? KIND_PAGE : KIND_ADDRESS;
	if ((word & 0x3b000000) == 0x18000000)
		return KIND_LITERAL;
	/* br, blr and ret, with authentication too; blr goes on. */
	if ((word & 0xfe000000) == 0xd6000000) {
		switch ((word >> 21) & 0xf) {
		case 0x0:
		case 0x8:
			return KIND_INDIRECT;
		case 0x1:
		case 0x9:
			return KIND_PLAIN;
		default:
			return KIND_END;
		}
	}
	/* udf, brk, hlt */
	if (!(word >> 16) || (word & 0xffe0001f) == 0xd4200000 ||
	    (word & 0xffe0001f) == 0xd4400000)
		return KIND_END;
	return KIND_PLAIN;
}

/* @width bits from bit @from on, with their sign. */
static int64_t field(uint32_t word, unsigned int from, unsigned int width)
{
	int64_t value = (word >> from) & ((UINT32_C(1) << width) - 1);

	return value >= INT64_C(1) << (width - 1) ?
		       value - (INT64_C(1) << width) :
		       value;
}

/* What the instruction at @address leads to or takes. */
static uint64_t target_of(uint32_t word, uint64_t address)
{
	int64_t distance;

	switch (kind_of(word)) {
	case KIND_JUMP:
	case KIND_CALL:
		return address + (uint64_t)(field(word, 0, 26) * SIZE);
	case KIND_BRANCH:
	case KIND_LITERAL:
		return address + (uint64_t)(field(word, 5, 19) * SIZE);
	case KIND_TEST:
		return address + (uint64_t)(field(word, 5, 14) * SIZE);
	case KIND_ADDRESS:
	case KIND_PAGE:
		distance = field(word, 5, 19) * 4 + ((word >> 29) & 3);
		return kind_of(word) == KIND_ADDRESS ?
			       address + (uint64_t)distance :
			       (address & ~UINT64_C(0xfff)) +
				       (uint64_t)(distance * 4096);
	default:
		return 0;
	}
}

static enum hp_flow flow_of(uint32_t word)
{
	switch (kind_of(word)) {
	case KIND_JUMP:
		return HP_FLOW_JUMP;
	case KIND_CALL:
		return HP_FLOW_CALL;
	case KIND_BRANCH:
	case KIND_TEST:
		return HP_FLOW_BRANCH;
	case KIND_INDIRECT:
		return HP_FLOW_INDIRECT;
	case KIND_END:
		return HP_FLOW_END;
	default:
		return HP_FLOW_PLAIN;
	}
}

static uint32_t word_at(const unsigned char *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

bool hp_decode(const unsigned char *bytes, size_t left, uint64_t address,
	       struct hp_instruction *instruction)
{
	uint32_t word;

	if (left < SIZE)
		return false;
	word = word_at(bytes);
	instruction->length = SIZE;
	instruction->flow = flow_of(word);
	instruction->target = target_of(word, address);
	return true;
}

static uint8_t landing_before(const unsigned char *bytes, size_t left)
{
	if (left < SIZE)
		return 0;
	return word_at(bytes) == BTI_C || word_at(bytes) == BTI_JC ? SIZE : 0;
}

/* A prefetch of a literal is not worth it; the others can all be moved. */
static bool is_movable(uint32_t word)
{
	return kind_of(word) != KIND_LITERAL || word >> 30 != 3;
}

bool hp_decode_head(const unsigned char *bytes, size_t left,
		    struct hp_head *head)
{
	uint32_t word;

	memset(head, 0, sizeof(*head));
	head->skip = landing_before(bytes, left);
	if (left - head->skip < SIZE)
		return false;
	word = word_at(bytes + head->skip);
	head->length = SIZE;
	head->prepared = word == NOP;
	head->movable = is_movable(word);
	return true;
}

struct writer {
	struct hp_relocated *relocated;
	uint64_t to;
};

static void put(struct writer *writer, uint32_t word)
{
	memcpy(writer->relocated->bytes + writer->relocated->size, &word, SIZE);
	writer->relocated->size += SIZE;
}

static void put_address(struct writer *writer, unsigned int number,
			uint64_t address)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		put(writer, (i ? MOVK : MOVZ) | i << 21 |
				    (uint32_t)((address >> (16 * i)) & 0xffff)
					    << 5 |
				    number);
}

static void put_jump(struct writer *writer, uint64_t target)
{
	uint64_t at = writer->to + writer->relocated->size;
	int64_t distance = (int64_t)(target - at);

	if (distance >= -(INT64_C(1) << 27) && distance < INT64_C(1) << 27) {
		put(writer, JUMP | ((uint32_t)(distance / SIZE) & 0x03ffffff));
		return;
	}
	put_address(writer, SCRATCH, target);
	put(writer, BR_X16);
}

/* Over a jump to what follows, to a jump to the target. */
static void put_branch(struct writer *writer, uint32_t word, uint64_t target,
		       uint64_t next)
{
	uint32_t field_mask = kind_of(word) == KIND_TEST ? 0x0007ffe0 :
							   0x00ffffe0;

	put(writer, (word & ~field_mask) | 2 << 5);
	put_jump(writer, next);
	put_jump(writer, target);
}

/* Of a literal: its address, then what loads from there in the same way. */
static void put_load(struct writer *writer, uint32_t word, uint64_t target)
{
	static const uint32_t general[] = {0xb9400000, 0xf9400000, 0xb9800000};
	static const uint32_t vector[] = {0xbd400000, 0xfd400000, 0x3dc00000};
	bool is_vector = (word >> 26) & 1;
	unsigned int number = word & 31;
	unsigned int base = is_vector || number == 31 ? SCRATCH : number;

	put_address(writer, base, target);
	put(writer,
	    (is_vector ? vector : general)[word >> 30] | base << 5 | number);
}

static void put_instruction(struct writer *writer, uint32_t word,
			    uint64_t target, uint64_t next)
{
	switch (kind_of(word)) {
	case KIND_JUMP:
		put_jump(writer, target);
		return;
	case KIND_CALL:
		put_address(writer, SCRATCH, target);
		put(writer, BLR_X16);
		return;
	case KIND_BRANCH:
	case KIND_TEST:
		put_branch(writer, word, target, next);
		return;
	case KIND_ADDRESS:
	case KIND_PAGE:
		put_address(writer, word & 31, target);
		return;
	case KIND_LITERAL:
		put_load(writer, word, target);
		return;
	default:
		put(writer, word);
	}
}

/* sub sp, sp, #n grows the frame; of others that write the stack pointer, with
 * an address that is counted up or down, or by an addition, nothing is told.
 */
static void describe_stack(uint32_t word, struct hp_moved *moved)
{
	bool pair = (word & 0x3a000000) == 0x28000000 && (word & 0x00800000);
	bool single = (word & 0x3b200000) == 0x38000000 && (word & 0x400);
	bool sum = (word & 0x1f000000) == 0x11000000 && (word & 31) == 31;

	sum |= (word & 0x1fe00000) == 0x0b200000 && (word & 31) == 31;
	moved->saved = -1;
	moved->known_stack = !((pair || single) && ((word >> 5) & 31) == 31) &&
			     !sum;
	if ((word & 0xff8003ff) == 0xd10003ff) {
		moved->known_stack = true;
		moved->stack_depth = (int32_t)((word >> 10) & 0xfff)
				     << ((word >> 22) & 1 ? 12 : 0);
	}
}

bool hp_relocate(const unsigned char *bytes, size_t left, uint64_t from,
		 uint64_t to, size_t count, struct hp_relocated *relocated)
{
	struct writer writer = {relocated, to};
	size_t at = landing_before(bytes, left);
	enum hp_flow flow;
	uint32_t word;

	memset(relocated, 0, sizeof(*relocated));
	if (count != 1 || left < at + SIZE)
		return false;
	word = word_at(bytes + at);
	flow = flow_of(word);
	if (!is_movable(word))
		return false;
	put_instruction(&writer, word, target_of(word, from + at),
			from + at + SIZE);
	describe_stack(word, &relocated->moved[0]);
	relocated->moved[0].calls = flow == HP_FLOW_CALL ||
				    (word & BLR_MASK) == BLR;
	relocated->moved[0].at = relocated->size;
	relocated->count = 1;
	if (flow == HP_FLOW_PLAIN || flow == HP_FLOW_CALL)
		put_jump(&writer, from + at + SIZE);
	return true;
}
