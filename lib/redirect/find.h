/* SPDX-License-Identifier: MIT */
/*
 * The functions that a patch redirects: where they are in this process, and
 * whether they are those that are meant. Changes nothing but the records of
 * hosts. Wants the lock of redirect.c, and the loader entered.
 */
#ifndef HP_REDIRECT_FIND_H
#define HP_REDIRECT_FIND_H

#include "../patch.h"
#include "../target.h"
#include "batch.h"

/*
 * What was found of one patch.
 * @indices: for each of @items, which of the manifest's replacements it is
 * @pins:    handles of the modules, which keep them loaded meanwhile
 */
struct hp_finding {
	struct hotpatch_patch *patch;
	struct hp_batch_item *items;
	size_t *indices;
	size_t count;
	void **pins;
	size_t pin_count;
	struct hotpatch_error *err;
};

/* False without memory; hp_finding_close() is owed in any case, when the lock
 * was released, because modules may be unmapped in it. */
bool hp_finding_open(struct hp_finding *finding, struct hotpatch_patch *patch,
		     struct hotpatch_error *err);
void hp_finding_close(struct hp_finding *finding);

/*
 * Finds the patch's functions of the module called @name that are not
 * redirected yet; none, without an error, if such a module is not loaded. Tells
 * in @search what is.
 */
enum hotpatch_status hp_find_in(struct hp_finding *finding, const char *name,
				struct hp_target_search *search);

/* The same for all modules; the first target has to be loaded. */
enum hotpatch_status hp_find_all(struct hp_finding *finding);

#endif
