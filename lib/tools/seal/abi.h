/* SPDX-License-Identifier: MIT */
/*
 * Types of the host and of the bundle: comparing everything that a function or
 * variable reaches, and a number that stands for it.
 */
#ifndef HP_SEAL_ABI_H
#define HP_SEAL_ABI_H

#include "binary.h"
#include "die.h"
#include "problem.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A struct, union, class or enum of each side, to be compared.
 * @label: how it is called, for those without a name too
 */
struct hp_pair {
	Dwarf_Die host;
	Dwarf_Die bundle;
	char label[96];
};

/*
 * @host, @bundle: where the other definitions of a type are found
 * @problems:      where differences go; NULL to look only whether there are any
 * @pairs:         all that were met; those before @done are compared
 * @reason, @object: of what differs outside of any struct
 */
struct hp_comparison {
	const struct hp_binary *host;
	const struct hp_binary *bundle;
	struct hp_problems *problems;
	enum hp_reason reason;
	const char *object;
	struct hp_array pairs;
	size_t done;
	bool opaque; /* a type was incomplete on one side */
	bool differs;
	bool no_memory;
};

/* Compares signatures, and everything they reach. @host and @bundle describe
 * functions, or types. */
void hp_abi_compare_functions(struct hp_comparison *comparison, Dwarf_Die *host,
			      Dwarf_Die *bundle);
void hp_abi_compare_types(struct hp_comparison *comparison, struct hp_type host,
			  struct hp_type bundle);
void hp_comparison_release(struct hp_comparison *comparison);

/* Is one level of both types alike? Struct types that it meets are noted, to
 * be compared later. */
bool hp_abi_is_alike(struct hp_comparison *comparison, struct hp_type host,
		     struct hp_type bundle, int depth);
/* Compares the members of a pair and reports. */
void hp_abi_compare_pair(struct hp_comparison *comparison,
			 const struct hp_pair *pair);

/* Numbers of what a function or type reaches in one binary; 0 without memory,
 * and never otherwise. */
uint64_t hp_abi_hash_function(const struct hp_binary *binary,
			      Dwarf_Die *function);
uint64_t hp_abi_hash_type(const struct hp_binary *binary, struct hp_type type);

#endif
