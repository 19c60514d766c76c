/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of modules that come and go while patches are on. Called by the
 * thread that loads or unloads the module, with the engine's lock, which is
 * released while a callback runs.
 */
#ifndef HP_LATE_H
#define HP_LATE_H

#include "slot.h"

#include <stdbool.h>

/* Before the first patch with callbacks is listed; any context. False without
 * memory. */
bool hp_late_start(void);

/*
 * A module comes: prepare, of the patches that are on. Then the module is to
 * be registered and bound without releasing the lock; hp_late_came() follows
 * the registration, and hp_late_bound() runs commit where it is due.
 */
void hp_late_comes(const struct hp_module *module);
void hp_late_came(const struct hp_module *module);
void hp_late_bound(const struct hp_module *module);

/* Did the patch's prepare refuse this module? */
bool hp_late_has_refused(const struct hotpatch_patch *patch,
			 const struct hp_module *module);

/* A module goes: before_revert while it is bound, after_revert afterwards. */
void hp_late_goes(const struct hp_module *module);
void hp_late_gone(const struct hp_module *module);

#endif
