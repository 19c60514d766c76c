/* SPDX-License-Identifier: MIT */
/*
 * What one instruction does to the registers that a call may change, as bits.
 * A general register has three: its lowest byte, the next, and the rest,
 * because code that fills only a part reads only that part.
 */
#ifndef HP_SEAL_REGISTERS_H
#define HP_SEAL_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_REGISTERS_NONE 0
#define HP_REGISTERS_ALL UINT64_MAX

enum hp_step {
	HP_STEP_ON,	      /* to what is behind it */
	HP_STEP_JUMP,	      /* to @target */
	HP_STEP_BRANCH,	      /* to @target, or on */
	HP_STEP_CALL,	      /* of @target, then on */
	HP_STEP_CALL_UNKNOWN, /* of what a register or memory says */
	HP_STEP_JUMP_UNKNOWN,
	HP_STEP_RETURN,
	HP_STEP_STOP,
};

/*
 * @reads:   used before anything is written
 * @fills:   written whatever was there before
 * @touches: written at all, perhaps
 * @clears:  it becomes zero
 * @table:   an address that stands in it, else 0: perhaps that of a table of
 *           jumps
 */
struct hp_effect {
	uint64_t target;
	uint64_t table;
	uint64_t reads;
	uint64_t fills;
	uint64_t touches;
	uint64_t clears;
	enum hp_step step;
	uint8_t length;
};

/* The instruction at @bytes, which lies at @address; false if it is none that
 * is known. */
bool hp_effect_read(const unsigned char *bytes, size_t left, uint64_t address,
		    struct hp_effect *effect);

/* Can instructions be read at all, on this machine? */
bool hp_effect_is_known(void);

/* Of @integers and @floats arguments; what a call returns a value in, which
 * fills @bytes of the first; all that a call may be given. */
uint64_t hp_registers_of_arguments(unsigned int integers, unsigned int floats);
uint64_t hp_registers_of_result(unsigned int integers, unsigned int floats,
				uint64_t bytes);
uint64_t hp_registers_of_unknown_call(void);

/* Vector registers, which a call of a function like printf is given only if the
 * one that counts them is not zero. */
uint64_t hp_registers_of_vectors(void);
uint64_t hp_registers_of_vector_count(void);

/* "rcx, xmm1", cut to @size. */
void hp_registers_name(uint64_t registers, char *text, size_t size);

#endif
