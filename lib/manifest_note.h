/* SPDX-License-Identifier: MIT */
/*
 * One note of a bundle: whether it is well formed, and taking it into the
 * manifest that is being read. Whether the notes go together is manifest.c's.
 */
#ifndef HP_MANIFEST_NOTE_H
#define HP_MANIFEST_NOTE_H

#include "elf_file.h"
#include "manifest.h"
#include "note.h"
#include "status.h"

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A manifest while it is read; when notes are taken, it has room for all. */
struct reader {
	struct hp_elf elf;
	struct hp_manifest manifest;
	size_t bundles;
	size_t others; /* notes of our own that are not the bundle's head */
	uint32_t format;
	size_t expiries;
	uint32_t unknown;  /* a type that this format does not have, or 0 */
	bool odd_build_id; /* longer than any known kind */
	bool unsealed;	   /* what an earlier seal wrote is passed over */
};

static inline enum hotpatch_status refuse(const struct reader *reader,
					  enum hotpatch_status status,
					  const char *what)
{
	return hp_elf_refuse(&reader->elf, status, what);
}

static inline enum hotpatch_status refuse_text(const struct reader *reader,
					       enum hotpatch_status status,
					       const char *what,
					       const char *text)
{
	const char *object = reader->elf.object;

	return hp_error(reader->elf.err, status, 0, object, "%s %s \"%s\"",
			object, what, text);
}

/* Does the bundle name a build of @module? */
bool hp_manifest_has_target(const struct hp_manifest *manifest,
			    const char *module);

/* Take one note each; @context is a struct reader. The seal's come after all
 * others, so that the first target stays. */
enum hotpatch_status hp_manifest_take(void *context,
				      const struct hp_note *note);
enum hotpatch_status hp_manifest_take_sealed(void *context,
					     const struct hp_note *note);

#endif
