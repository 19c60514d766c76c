/* SPDX-License-Identifier: MIT */
/*
 * One run of the analysis: a bundle, the builds it is to be for, what was found
 * in the way, and the facts that go into the bundle's notes.
 */
#ifndef HP_SEAL_H
#define HP_SEAL_H

#include "binary.h"
#include "problem.h"

#include "../../manifest.h"
#include "../../store.h"
#include "../tool.h"

#include <hotpatch/bundle.h>
#include <hotpatch/status.h>
#include <stddef.h>
#include <stdint.h>

/* What is recorded of one build. */
struct hp_facts {
	struct hotpatch_sealed_function *functions;
	size_t function_count;
	struct hotpatch_sealed_import *imports;
	size_t import_count;
	struct hotpatch_sealed_redirect *redirects;
	size_t redirect_count;
};

/*
 * @hashes: of the bundle's own side, one for each replacement
 * @facts:  one for each of the targets
 * @key_id: of the key that signed the result, else ""
 */
struct hp_seal {
	const char *path;
	const char *debug_directory;
	struct hp_file file;
	struct hp_manifest manifest;
	struct hp_binary bundle;
	struct hp_binary *targets;
	size_t target_count;
	struct hp_facts *facts;
	uint64_t *hashes;
	struct hp_problems problems;
	char key_id[HOTPATCH_KEY_ID_SIZE];
};

/* Reads the bundle and the targets at @paths. The caller owes hp_seal_close()
 * in any case. */
enum hotpatch_status hp_seal_open(struct hp_seal *seal, const char *path,
				  const char *const *paths, size_t count,
				  struct hotpatch_error *err);
/* Reads debugging information and looks at everything; what is in the way is
 * in the problems, and no failure. */
enum hotpatch_status hp_seal_analyse(struct hp_seal *seal,
				     struct hotpatch_error *err);
void hp_seal_close(struct hp_seal *seal);

/* Does this name of a module mean the target @index? */
bool hp_seal_is_for(const struct hp_seal *seal, const char *module,
		    size_t index);
/* Does the bundle replace the function of that target, if it was prepared, or
 * redirect it, if not? */
bool hp_seal_replaces(const struct hp_seal *seal, const char *name,
		      bool prepared, size_t index);
/* The body that a slot's function was compiled with, NULL if there is none:
 * the host never prepared it. @file may be "". */
struct hp_function *hp_seal_original(const struct hp_binary *binary,
				     const char *name, const char *file);

/* The bundle's own body, or NULL. */
struct hp_function *hp_seal_replacement(const struct hp_binary *bundle,
					const char *name);

/* Compares the two with all types that they reach, for the manifest's entry
 * @replace. */
void hp_seal_check_types(struct hp_seal *seal, size_t index, size_t replace,
			 struct hp_function *host, struct hp_function *bundle);

/* The parts of the analysis, for the target @index; the first one once. */
void hp_seal_check_bundle(struct hp_seal *seal);
void hp_seal_check_functions(struct hp_seal *seal, size_t index);
void hp_seal_check_copies(struct hp_seal *seal, size_t index);
void hp_seal_check_data(struct hp_seal *seal, size_t index);
void hp_seal_check_symbols(struct hp_seal *seal, size_t index);
void hp_seal_check_imports(struct hp_seal *seal, size_t index);
/* E_NO_MEMORY and the like, as hp_code_open(). */
enum hotpatch_status hp_seal_check_redirects(struct hp_seal *seal, size_t index,
					     struct hotpatch_error *err);

/* Writes the sealed bundle to @path, as a whole or not at all. E_SEAL_ROOM,
 * E_IO, E_PERMISSION. */
enum hotpatch_status hp_seal_write(const struct hp_seal *seal, const char *path,
				   struct hotpatch_error *err);

/* Is a symbol of that name offered by the target or what it links? @searched
 * is false if one of its libraries was not found. */
bool hp_libraries_export(const struct hp_binary *binary, const char *name,
			 bool *searched);

#endif
