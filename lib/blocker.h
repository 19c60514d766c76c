/* SPDX-License-Identifier: MIT */
/*
 * Naming tasks that are in the way.
 */
#ifndef HP_BLOCKER_H
#define HP_BLOCKER_H

#include "task.h"

#include <stddef.h>

/* The first task with a view in one of the ranges, as text. */
void hp_blocker_name(const struct hp_task_range *ranges, size_t count,
		     char *text, size_t size);

#endif
