/* SPDX-License-Identifier: MIT */
/*
 * What the compiler and the linker did to a function that was not prepared, and
 * that redirecting it would not reach, or would reach too far: copies, callers
 * that rely on which registers it leaves alone, other functions that were
 * folded into it.
 */
#ifndef HP_SEAL_TRAPS_H
#define HP_SEAL_TRAPS_H

#include "binary.h"
#include "machine.h"
#include "problem.h"

/* A symbol of a function. */
struct hp_trap_symbol {
	const char *name;
	uint64_t address;
};

/*
 * @is_read: the machine code is known
 * @functions: pointers to those of @binary that have code, by address
 * @names, @places: symbols by name, and by address
 * @covers:  is the function of that name replaced, too? Then what it holds is
 *           no trap. NULL for none; @context is for it
 */
struct hp_traps {
	const struct hp_binary *binary;
	struct hp_machine machine;
	bool is_read;
	struct hp_array functions;
	struct hp_array names;
	struct hp_array places;
	bool (*covers)(void *context, const char *name);
	void *context;
};

/* Reads the code of @binary, whose debugging information is read already. False
 * without memory. The caller owes hp_traps_close(). */
bool hp_traps_open(struct hp_traps *traps, const struct hp_binary *binary);
void hp_traps_close(struct hp_traps *traps);

/* Adds what is in the way of redirecting @function; also if that has no code of
 * its own. */
void hp_traps_check(const struct hp_traps *traps,
		    const struct hp_function *function,
		    struct hp_problems *problems);

/* Parts of it. */
void hp_traps_check_copies(const struct hp_traps *traps,
			   const struct hp_function *function,
			   struct hp_problems *problems);
void hp_traps_check_absent(const struct hp_traps *traps,
			   const struct hp_function *function,
			   struct hp_problems *problems);
void hp_traps_check_folds(const struct hp_traps *traps,
			  const struct hp_function *function,
			  struct hp_problems *problems);

/* The items from the first on that is not before @address or @name; @count of
 * them up to the end. */
const struct hp_function **hp_traps_at(const struct hp_traps *traps,
				       uint64_t address, size_t *count);
const struct hp_trap_symbol *hp_traps_symbols_at(const struct hp_traps *traps,
						 uint64_t address,
						 size_t *count);
const struct hp_trap_symbol *hp_traps_symbols(const struct hp_traps *traps,
					      const char *name, size_t *count);

/* The name of the source, without what compilers append. */
void hp_traps_plain_name(const char *name, char *text, size_t size);

/* A list of names for a sentence; each is counted once, a few are shown. */
struct hp_names {
	char text[400];
	char last[128];
	size_t count;
};

void hp_names_add(struct hp_names *names, const char *name);
void hp_names_finish(struct hp_names *names);

#endif
