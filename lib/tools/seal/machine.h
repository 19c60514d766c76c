/* SPDX-License-Identifier: MIT */
/*
 * The machine code of a whole binary: its routines, what calls what, and which
 * registers each leaves alone. gcc lets callers rely on the latter (-fipa-ra),
 * and what replaces a routine does not know of it.
 */
#ifndef HP_SEAL_MACHINE_H
#define HP_SEAL_MACHINE_H

#include "binary.h"
#include "registers.h"

/*
 * What the linker knows as one function, or a part that was split off.
 * @first, @count: its steps
 * @touched:  registers that it, or what it calls, may write
 * @given:    registers that its arguments are in; @varied: and, as with printf,
 *            perhaps are
 * @results:  registers that its result is in; @perhaps: the same where no
 *            debugging information tells
 * @strict:   it was compiled not to rely on what others leave alone
 * @strange:  its flow is not all known
 */
struct hp_routine {
	const char *name;
	uint64_t start;
	uint64_t stop;
	size_t first;
	size_t count;
	size_t first_target; /* of its tables of jumps */
	size_t target_count;
	uint64_t touched;
	uint64_t given;
	uint64_t varied;
	uint64_t results;
	uint64_t perhaps;
	bool is_part;
	bool strict;
	bool strange;
	bool returns;
};

/*
 * One instruction.
 * @routine:  of it, and @goal of its target, SIZE_MAX for none
 * @to:       the step at its target, SIZE_MAX if there is none
 * @given:    of a call whose routine is not here: what it may be given, and
 *            what its result may be in
 * @live:     registers that are read from here on; @doubt: perhaps
 * @defined:  registers that may have been given a value before
 */
struct hp_machine_step {
	uint64_t address;
	struct hp_effect effect;
	size_t routine;
	size_t goal;
	size_t to;
	uint64_t given;
	uint64_t results;
	uint64_t live;
	uint64_t doubt;
	uint64_t defined;
	bool unknown; /* it could not be read */
};

/* One routine leads into another; @step says where. */
struct hp_edge {
	size_t from;
	size_t to;
	size_t step;
};

struct hp_machine {
	const struct hp_binary *binary;
	struct hp_array routines; /* by address */
	struct hp_array steps;	  /* by address */
	struct hp_array edges;	  /* by @to */
	struct hp_array targets;  /* size_t, steps */
	bool no_memory;
};

/*
 * Reads the code and everything above; false without memory, or if instructions
 * cannot be read here. The caller owes hp_machine_release() in any case.
 */
bool hp_machine_read(struct hp_machine *machine,
		     const struct hp_binary *binary);
void hp_machine_release(struct hp_machine *machine);

/* The step behind which a call returns to @address, or NULL. */
struct hp_machine_step *hp_machine_call(const struct hp_machine *machine,
					uint64_t address);

/* The routine that begins at @address, or NULL. */
const struct hp_routine *hp_machine_routine(const struct hp_machine *machine,
					    uint64_t address);
/* What leads into the routine; @count of them. */
const struct hp_edge *hp_machine_into(const struct hp_machine *machine,
				      const struct hp_routine *routine,
				      size_t *count);
size_t hp_machine_index(const struct hp_machine *machine,
			const struct hp_routine *routine);

/* Part of the above: what the debugging information tells of routines, and
 * what is live and defined at each step. */
void hp_machine_describe(struct hp_machine *machine);
void hp_machine_flow(struct hp_machine *machine);

/*
 * A caller that keeps values in @registers across a call of the routine
 * @callee, because that leaves them alone; @certain is false if that could not
 * be excluded only.
 */
struct hp_keeper {
	const struct hp_routine *caller;
	const struct hp_routine *callee;
	uint64_t registers;
	bool certain;
};

/* Calls @visit for each that relies on @routine, itself or what calls it. */
void hp_machine_keepers(const struct hp_machine *machine,
			const struct hp_routine *routine,
			void (*visit)(void *context,
				      const struct hp_keeper *keeper),
			void *context);

#endif
