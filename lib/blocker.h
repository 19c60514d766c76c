/* SPDX-License-Identifier: MIT */
/*
 * Naming tasks that are in the way.
 */
#ifndef HP_BLOCKER_H
#define HP_BLOCKER_H

#include "scan.h"
#include "task.h"

#include <hotpatch/patch.h>
#include <stddef.h>

/* The first task with a view in one of the ranges, as text. */
void hp_blocker_name(const struct hp_task_range *ranges, size_t count,
		     char *text, size_t size);

/* The first three of them, and how many more there are. */
void hp_blocker_names(const struct hp_task_range *ranges, size_t count,
		      char *text, size_t size);

/*
 * A task whose last enter was in the original body of a function that @patch
 * replaces, as text: a loop that never returned. "" if there is none. Wants the
 * engine's lock.
 */
void hp_blocker_still_runs(const struct hotpatch_patch *patch, char *text,
			   size_t size);

#endif
