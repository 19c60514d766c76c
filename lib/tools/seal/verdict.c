/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include "../../redirect/code.h"

#include <stddef.h>

enum hotpatch_status hp_verdict_open(const char *path, const char *build_id,
				     const struct hp_code **code,
				     struct hotpatch_error *err)
{
	return hp_code_open(path, build_id, code, err);
}

struct hp_verdict hp_verdict_of(const struct hp_code *code, uint64_t address)
{
	const struct hp_function *function = hp_code_at(code, address);
	struct hp_verdict verdict = {"it is not known where it begins", 0, 0};
	enum hotpatch_refusal refusal;

	if (!function)
		return verdict;
	refusal = (enum hotpatch_refusal)function->refusal;
	verdict.tier = function->tier;
	if (function->stop > function->start)
		verdict.size = function->stop - function->start;
	verdict.why = refusal == HOTPATCH_REFUSAL_NONE ?
			      NULL :
			      hotpatch_refusal_text(refusal);
	return verdict;
}
