/* SPDX-License-Identifier: MIT */
/*
 * Faults in the code of patches on probation: which patch it was, and the call
 * that can be made again. Owns the handlers and the table that they read; that
 * a patch goes for it is the trial's business.
 */
#ifndef HP_CONTAIN_H
#define HP_CONTAIN_H

#include <stdbool.h>
#include <stddef.h>

#define HP_FAULT_SIZE 160

struct hotpatch_patch;

/*
 * Says anew which patches are on probation, and what a repeated call of each of
 * their functions runs. Wants the engine's lock; to be called before tasks
 * begin to move, so that nobody is sent to what is about to go, and after a
 * change. Also in a task's safe point.
 */
void hp_contain_refresh(void);

/* What the first fault in the patch's code was; false if there was none. Wants
 * the engine's lock. */
bool hp_contain_fault(const struct hotpatch_patch *patch,
		      char text[HP_FAULT_SIZE]);

/* It is applied anew: what was before does not count. Wants the lock. */
void hp_contain_forget(const struct hotpatch_patch *patch);

#endif
