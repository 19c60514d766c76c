/* SPDX-License-Identifier: MIT */
/*
 * What a bundle's code uses of other modules: finding it before the bundle is
 * loaded, storing where it is before anything of the bundle is visible, and
 * holding on to where it lies for as long as the bundle is mapped.
 */
#ifndef HP_IMPORT_H
#define HP_IMPORT_H

#include "manifest.h"

#include <hotpatch/bundle.h>
#include <hotpatch/status.h>
#include <stddef.h>
#include <stdint.h>

struct hotpatch_patch;

/* Where one import of the host is. */
struct hp_place {
	uintptr_t address;
	struct hotpatch_thread_local thread_local_place;
};

/*
 * @places:    one for each of the manifest's imports
 * @pins:      handles of the modules they lie in
 * @exporters: the patches that others come from, NULL before they were bound;
 *             guarded by the engine's lock
 */
struct hp_imports {
	struct hp_place *places;
	void **pins;
	size_t pin_count;
	struct hotpatch_patch **exporters;
};

/*
 * Finds the manifest's imports from the host. Calls the loader, so not under
 * the engine's lock. E_IMPORT, E_IMPORT_TYPE, E_NOT_SEALED, E_WRONG_TARGET,
 * E_NO_MEMORY. The caller owes hp_imports_release(), also after a failure.
 */
enum hotpatch_status hp_imports_find(const struct hp_manifest *manifest,
				     struct hp_imports *imports,
				     struct hotpatch_error *err);

/* Stores them into the loaded bundle's records. */
void hp_imports_store(const struct hp_manifest *manifest,
		      const struct hp_imports *imports,
		      const struct hotpatch_bundle *bundle);

/* Is there what @patch imports from patches? Under the engine's lock.
 * E_REQUIRES, E_IMPORT, E_IMPORT_TYPE. */
enum hotpatch_status hp_imports_check(const struct hotpatch_patch *patch,
				      struct hotpatch_error *err);

/* Stores what @patch imports from patches, which are active. Under the engine's
 * lock. E_IMPORT, E_IMPORT_TYPE. */
enum hotpatch_status hp_imports_bind(struct hotpatch_patch *patch,
				     struct hotpatch_error *err);

/* A patch that may run what @patch exports, or NULL. Under the lock. */
const struct hotpatch_patch *
hp_imports_user(const struct hotpatch_patch *patch);

/* Lets the modules go. Calls the loader. */
void hp_imports_release(struct hp_imports *imports);

#endif
