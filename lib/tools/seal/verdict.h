/* SPDX-License-Identifier: MIT */
/*
 * Whether a function of a file could be redirected, as the library itself
 * would judge. It stands apart from the rest, which has other things of the
 * same names.
 */
#ifndef HP_SEAL_VERDICT_H
#define HP_SEAL_VERDICT_H

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stdint.h>

struct hp_code;

/*
 * @why:  the reason if it cannot be redirected, else NULL
 * @tier: as in struct hotpatch_function_info
 * @size: of its code in bytes, 0 if it is not known
 */
struct hp_verdict {
	const char *why;
	unsigned int tier;
	uint64_t size;
};

/* As hp_code_open(); in a build without redirection @code is NULL, and every
 * verdict says so. */
enum hotpatch_status hp_verdict_open(const char *path, const char *build_id,
				     const struct hp_code **code,
				     struct hotpatch_error *err);
struct hp_verdict hp_verdict_of(const struct hp_code *code, uint64_t address);

#endif
