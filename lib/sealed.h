/* SPDX-License-Identifier: MIT */
/*
 * What hotpatch seal found in the builds that a bundle is for: reading its
 * notes into the manifest, and the facts out of it again.
 */
#ifndef HP_SEALED_H
#define HP_SEALED_H

#include "manifest.h"
#include "note.h"

#include <hotpatch/bundle.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No function has more bytes of code. */
#define HP_SEALED_CODE_LIMIT (16u << 20)

/* Is it among the types that lie in the room for the seal? */
bool hp_sealed_is_note(uint32_t type);

/* Each takes a note into the manifest; gives back what is wrong with it, NULL
 * if nothing is. The manifest has room for one more target. */
const char *hp_sealed_build(struct hp_manifest *manifest,
			    const struct hp_note *note,
			    const char *const texts[2]);
const char *hp_sealed_facts(struct hp_manifest *manifest,
			    const struct hp_note *note);

/* The facts of a replacement or import, by its number; false if none were
 * recorded for this build. */
bool hp_sealed_function(const struct hp_target *target, size_t index,
			struct hotpatch_sealed_function *fact);
bool hp_sealed_import(const struct hp_target *target, size_t index,
		      struct hotpatch_sealed_import *fact);
bool hp_sealed_redirect(const struct hp_target *target, size_t index,
			struct hotpatch_sealed_redirect *fact);

bool hp_manifest_is_sealed(const struct hp_manifest *manifest);

#endif
