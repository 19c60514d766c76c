/* SPDX-License-Identifier: MIT */
/*
 * The verdict on each function of a module.
 */
#ifndef HP_REDIRECT_JUDGE_H
#define HP_REDIRECT_JUDGE_H

#include "code.h"
#include "file.h"
#include "list.h"

/* Fills all but the place and the name of the functions, which are sorted and
 * of which some are refused already. False without memory. */
bool hp_judge(const struct hp_elf *elf, struct hp_function *functions,
	      size_t count);

#endif
