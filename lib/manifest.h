/* SPDX-License-Identifier: MIT */
/*
 * What a bundle says of itself: the ELF notes of a file that is in memory,
 * judged before anything of it is mapped. Owns the bounded walk over foreign
 * bytes; knows nothing of the process that runs.
 */
#ifndef HP_MANIFEST_H
#define HP_MANIFEST_H

#include "note.h"

#include <hotpatch/bundle.h>
#include <hotpatch/patch.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Texts point into the file's bytes. Only the seal names several builds of one
 * module; @functions, @imports and @redirects are its facts of this one, as
 * they lie in the file, for hp_sealed_function() and its like.
 */
struct hp_target {
	const char *module;
	const char *build_id; /* hexadecimal, lower case */
	bool sealed;
	const unsigned char *functions;
	size_t function_count;
	const unsigned char *imports;
	size_t import_count;
	const unsigned char *redirects;
	size_t redirect_count;
};

struct hp_replace {
	const char *module; /* "" for the first target */
	const char *file;   /* "" unless the function is static */
	const char *name;
	const char *prototype;
	uint64_t abi_hash;
	bool redirect; /* of a function that nobody prepared */
};

struct hp_callback {
	enum hotpatch_callback_kind kind;
	const char *object; /* a module, "" for the bundle itself, or a state */
};

struct hp_state {
	const char *id;
	uint32_t version;
};

struct hp_import {
	const char *patch;  /* "" for the host */
	const char *module; /* "" for the first target */
	const char *file;   /* "" unless it is static */
	const char *name;
	const char *type; /* as spelled */
	enum hotpatch_import_kind kind;
};

struct hp_export {
	const char *name;
	const char *type;
};

/* What whoever sealed the bundle accepted. */
struct hp_allow {
	const char *reason;
	const char *name;
};

struct hp_manifest {
	const char *name;
	uint64_t sequence;
	enum hotpatch_bundle_kind kind;
	enum hotpatch_consistency consistency;
	uint32_t flags;
	uint64_t expires_s;		       /* since 1970; 0 for never */
	char build_id[HOTPATCH_BUILD_ID_SIZE]; /* its own, "" if none */
	size_t constructors; /* without the one of the start files */
	struct hp_target *targets;
	size_t target_count;
	struct hp_replace *replaces;
	size_t replace_count;
	const char **supersedes; /* HOTPATCH_REPLACES */
	size_t supersede_count;
	const char **requires; /* also by an import */
	size_t require_count;
	const char **conflicts;
	size_t conflict_count;
	struct hp_callback *callbacks;
	size_t callback_count;
	struct hp_state *states;
	size_t state_count;
	struct hp_import *imports;
	size_t import_count;
	struct hp_export *exports;
	size_t export_count;
	struct hp_allow *allows;
	size_t allow_count;
	struct hp_target *sealing; /* while the seal's notes are read */
};

/*
 * Reads the manifest of the @size bytes at @bytes, a whole ELF shared object
 * called @object in errors. The bytes must outlive @manifest. On success the
 * caller owes hp_manifest_release().
 *
 * E_NOT_ELF, E_TRUNCATED, E_MACHINE, E_NOT_BUNDLE, E_NOTE, E_FORMAT,
 * E_NO_TARGET, E_DUPLICATE, E_NO_MEMORY.
 */
enum hotpatch_status hp_manifest_parse(const void *bytes, size_t size,
				       const char *object,
				       struct hp_manifest *manifest,
				       struct hotpatch_error *err);

/* The same as it was before it was sealed, when it may name no target yet. */
enum hotpatch_status hp_manifest_parse_unsealed(const void *bytes, size_t size,
						const char *object,
						struct hp_manifest *manifest,
						struct hotpatch_error *err);
void hp_manifest_release(struct hp_manifest *manifest);

/* "before-revert" */
const char *hp_callback_name(enum hotpatch_callback_kind kind);

/* Orders replacements by name, file and module, for qsort(). */
int hp_replace_compare(const void *a, const void *b);

#endif
