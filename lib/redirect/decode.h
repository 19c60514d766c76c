/* SPDX-License-Identifier: MIT */
/*
 * What redirecting needs to know of a CPU's instructions. x86_64.c implements
 * it with Zydis, aarch64.c by itself.
 */
#ifndef HP_REDIRECT_DECODE_H
#define HP_REDIRECT_DECODE_H

#include "../arch/jump.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hp_flow {
	HP_FLOW_PLAIN,	  /* goes on behind itself */
	HP_FLOW_JUMP,	  /* to a fixed target */
	HP_FLOW_BRANCH,	  /* to a fixed target, or on */
	HP_FLOW_CALL,	  /* of a fixed target */
	HP_FLOW_INDIRECT, /* jumps to what a register or memory says */
	HP_FLOW_END,	  /* returns or traps */
};

struct hp_instruction {
	uint8_t length;
	enum hp_flow flow;
	uint64_t target; /* of JUMP, BRANCH and CALL */
};

/* The instruction at @bytes, which lies at @address. False if it is none. */
bool hp_decode(const unsigned char *bytes, size_t left, uint64_t address,
	       struct hp_instruction *instruction);

/*
 * The first instruction of a function, as far as redirecting is concerned.
 * @skip:     bytes of a landing pad before it, which stays
 * @length:   its size
 * @prepared: the compiler left room for a jump there
 * @movable:  hp_relocate() can move it
 * @next_length: size of the instruction behind it, 0 if that cannot be moved
 */
struct hp_head {
	uint8_t skip;
	uint8_t length;
	uint8_t next_length;
	bool prepared;
	bool movable;
};

bool hp_decode_head(const unsigned char *bytes, size_t left,
		    struct hp_head *head);

/*
 * What an unwinder has to know behind a moved instruction that ends at @at:
 * the distance between the stack pointer and the return address grew by
 * @stack_depth; the register of that DWARF number was pushed, or -1.
 * @known_stack is false if it moved the stack pointer in another way. @calls:
 * it leaves a return address behind.
 */
struct hp_moved {
	int32_t stack_depth;
	int8_t saved;
	bool known_stack;
	bool calls;
	uint8_t at;
};

/* The code of one or two moved instructions, the second at @second. */
struct hp_relocated {
	uint8_t bytes[HP_RELOCATED_LIMIT];
	uint8_t size;
	uint8_t count;
	uint8_t second;
	struct hp_moved moved[2];
};

/*
 * Writes what does at @to what the first @count instructions at @from did, one
 * or two, and then goes on behind them. @bytes are those of the function,
 * landing pad included. False if a target is out of reach from there.
 */
bool hp_relocate(const unsigned char *bytes, size_t left, uint64_t from,
		 uint64_t to, size_t count, struct hp_relocated *relocated);

#endif
