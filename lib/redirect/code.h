/* SPDX-License-Identifier: MIT */
/*
 * The analysis of a whole module, from its file: its functions, and for each
 * how it can be redirected or why it cannot. Redirecting overwrites a part of
 * the function's first instruction, so nothing else may lead into that part,
 * from anywhere in the module. Addresses are those of the file.
 */
#ifndef HP_REDIRECT_CODE_H
#define HP_REDIRECT_CODE_H

#include "../arch/jump.h"

#include <hotpatch/redirect.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @start, @stop: its code
 * @skip:    bytes of a landing pad, which stay
 * @length:  of the first instruction behind it
 * @written: how many bytes of that one may be overwritten; a jump's others
 *           have to be what is there
 * @next_written: how many of the instruction behind that one, 0 for none
 * @tier, @refusal: the verdict
 * @bytes:   the first bytes in the file
 * @name:    for hp_code_name()
 */
struct hp_function {
	uint64_t start;
	uint64_t stop;
	size_t name;
	uint8_t skip;
	uint8_t length;
	uint8_t written;
	uint8_t next_written;
	uint8_t tier;
	uint8_t refusal;
	uint8_t byte_count;
	uint8_t bytes[24];
};

struct hp_code;

/*
 * The analysis of the file at @path, which must have that build-id ("" for
 * any); made once for each build-id and kept. E_NOT_FOUND, E_NOT_ELF, E_SWAPPED
 * for another build, E_NO_MEMORY.
 */
enum hotpatch_status hp_code_open(const char *path, const char *build_id,
				  const struct hp_code **code,
				  struct hotpatch_error *err);

/* All functions, by address. */
const struct hp_function *hp_code_functions(const struct hp_code *code,
					    size_t *count);

/* The function that begins at @address, or NULL. */
const struct hp_function *hp_code_at(const struct hp_code *code,
				     uint64_t address);

/*
 * The function of that name. @indirect is set where the symbol is that of a
 * resolver, which the dynamic loader asks for the function. E_NO_FUNCTION,
 * E_AMBIGUOUS.
 */
enum hotpatch_status hp_code_find(const struct hp_code *code, const char *name,
				  const struct hp_function **function,
				  bool *indirect);

/* A name of the function, or "". */
const char *hp_code_name(const struct hp_code *code,
			 const struct hp_function *function);

#endif
