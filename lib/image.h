/* SPDX-License-Identifier: MIT */
/*
 * A bundle as mapped code: loading it with dlopen, comparing what was mapped
 * with what was verified, unloading it and looking whether it is gone. Calls
 * the dynamic loader, so never under the engine's lock.
 */
#ifndef HP_IMAGE_H
#define HP_IMAGE_H

#include "manifest.h"

#include <hotpatch/bundle.h>
#include <hotpatch/patch.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hp_image {
	void *handle;
	uintptr_t start; /* address range of all its segments */
	uintptr_t stop;
	struct hotpatch_bundle *bundle;
	char path[PATH_MAX];
};

/*
 * Maps the file at @path, a private copy of the bytes that @manifest was read
 * from. With constructors it is first tried in a forked child, for
 * @rehearsal_ms. On success the caller owes hp_image_unload().
 *
 * E_LOAD with the loader's words; E_CONSTRUCTOR if the child died or did not
 * return; E_SWAPPED if the mapped build-id or the replacement records differ
 * from the manifest; E_NO_MEMORY.
 */
enum hotpatch_status hp_image_load(const char *path,
				   const struct hp_manifest *manifest,
				   unsigned int rehearsal_ms,
				   struct hp_image *image,
				   struct hotpatch_error *err);

/* Holds on to the module that the loader knows as @path; NULL if it is gone. */
void *hp_image_pin(const char *path);
void hp_image_unpin(void *handle);

/* True if it can make keys of threads, whose destructors nothing tells. */
bool hp_image_makes_keys(const struct hp_image *image);

/*
 * Unmaps it. E_RETAINED if it is still mapped afterwards, with the likely
 * reason. Either way the handle is given up.
 */
enum hotpatch_status hp_image_unload(struct hp_image *image,
				     struct hotpatch_error *err);

/* True in the thread that runs a bundle's constructors or destructors. */
bool hp_image_in_callback(void);

#endif
