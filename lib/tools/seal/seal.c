/* SPDX-License-Identifier: MIT */
/*
 * The analysis as a whole: reads the bundle and the builds, and has each part
 * look at them. Everything that is in the way is found in one run.
 */
#include "seal.h"

#include "../../status.h"

#include <stdlib.h>
#include <string.h>

static enum hotpatch_status read_bundle(struct hp_seal *seal,
					struct hotpatch_error *err)
{
	enum hotpatch_status status =
		hp_file_read(seal->path, &seal->file, err);

	if (status != HOTPATCH_OK)
		return status;
	status = hp_manifest_parse_unsealed(seal->file.bytes, seal->file.size,
					    seal->path, &seal->manifest, err);
	if (status != HOTPATCH_OK)
		return status;
	return hp_binary_open(&seal->bundle, seal->path, err);
}

static const char *first_module(const struct hp_seal *seal)
{
	return seal->manifest.target_count ? seal->manifest.targets[0].module :
					     seal->targets[0].module;
}

bool hp_seal_is_for(const struct hp_seal *seal, const char *module,
		    size_t index)
{
	return !strcmp(*module ? module : first_module(seal),
		       seal->targets[index].module);
}

bool hp_seal_replaces(const struct hp_seal *seal, const char *name,
		      bool prepared, size_t index)
{
	const struct hp_replace *replace = seal->manifest.replaces;
	size_t i;

	for (i = 0; i < seal->manifest.replace_count; i++)
		if (!strcmp(replace[i].name, name) &&
		    replace[i].redirect == !prepared &&
		    hp_seal_is_for(seal, replace[i].module, index))
			return true;
	return false;
}

/* Has the bundle anything to do with the module? */
static bool concerns(const struct hp_seal *seal, size_t index)
{
	const struct hp_manifest *manifest = &seal->manifest;
	size_t i;

	if (hp_seal_is_for(seal, "", index))
		return true;
	for (i = 0; i < manifest->target_count; i++)
		if (hp_seal_is_for(seal, manifest->targets[i].module, index))
			return true;
	return false;
}

static enum hotpatch_status check_target(const struct hp_seal *seal,
					 size_t index,
					 struct hotpatch_error *err)
{
	const struct hp_binary *target = &seal->targets[index];
	size_t i;

	if (!*target->build_id)
		return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, target->path,
				"%s has no build-id; link it with "
				"-Wl,--build-id=sha1",
				target->path);
	if (!concerns(seal, index))
		return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, target->path,
				"%s has nothing for %s", seal->path,
				target->path);
	for (i = 0; i < index; i++)
		if (!strcmp(seal->targets[i].build_id, target->build_id))
			return hp_error(err, HOTPATCH_E_USAGE, 0, target->path,
					"%s and %s are the same build",
					seal->targets[i].path, target->path);
	return HOTPATCH_OK;
}

static bool reserve(struct hp_seal *seal, size_t count)
{
	const struct hp_manifest *manifest = &seal->manifest;
	struct hp_facts *facts;
	size_t i;

	seal->targets = calloc(count + 1, sizeof(*seal->targets));
	seal->facts = calloc(count + 1, sizeof(*seal->facts));
	seal->hashes =
		calloc(manifest->replace_count + 1, sizeof(*seal->hashes));
	if (!seal->targets || !seal->facts || !seal->hashes)
		return false;
	for (i = 0; i < count; i++) {
		facts = &seal->facts[i];
		facts->functions = calloc(manifest->replace_count + 1,
					  sizeof(*facts->functions));
		facts->imports = calloc(manifest->import_count + 1,
					sizeof(*facts->imports));
		facts->redirects = calloc(manifest->replace_count + 1,
					  sizeof(*facts->redirects));
		if (!facts->functions || !facts->imports || !facts->redirects)
			return false;
	}
	return true;
}

enum hotpatch_status hp_seal_open(struct hp_seal *seal, const char *path,
				  const char *const *paths, size_t count,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status;
	size_t i;

	seal->path = path;
	status = read_bundle(seal, err);
	if (status != HOTPATCH_OK)
		return status;
	if (!reserve(seal, count))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, path,
				"no memory to look at %s", path);
	seal->problems.several = count > 1;
	for (i = 0; i < count && status == HOTPATCH_OK; i++) {
		/* Counted first, so that it is closed. */
		seal->target_count++;
		status = hp_binary_open(&seal->targets[i], paths[i], err);
	}
	for (i = 0; i < count && status == HOTPATCH_OK; i++)
		status = check_target(seal, i, err);
	return status;
}

static bool is_given(const struct hp_seal *seal, const struct hp_target *target)
{
	size_t i;

	for (i = 0; i < seal->target_count; i++)
		if (!strcmp(seal->targets[i].build_id, target->build_id))
			return true;
	return false;
}

static void check_unsealed(struct hp_seal *seal)
{
	const struct hp_target *target = seal->manifest.targets;
	size_t i;

	for (i = 0; i < seal->manifest.target_count; i++, target++)
		if (!is_given(seal, target))
			hp_problem_add(&seal->problems, HP_REASON_UNSEALED,
				       *target->module ? target->module :
							 "program",
				       "the bundle was compiled for build %s "
				       "of %s, and nothing is compared with it",
				       target->build_id,
				       *target->module ? target->module :
							 "the program");
}

static enum hotpatch_status analyse_target(struct hp_seal *seal, size_t index,
					   struct hotpatch_error *err)
{
	struct hp_binary *target = &seal->targets[index];
	enum hotpatch_status status =
		hp_binary_read_debug(target, seal->debug_directory, err);

	if (status != HOTPATCH_OK)
		return status;
	seal->problems.build = target->path;
	hp_seal_check_functions(seal, index);
	hp_seal_check_copies(seal, index);
	hp_seal_check_data(seal, index);
	if (hp_seal_is_for(seal, "", index))
		hp_seal_check_symbols(seal, index);
	hp_seal_check_imports(seal, index);
	return hp_seal_check_redirects(seal, index, err);
}

enum hotpatch_status hp_seal_analyse(struct hp_seal *seal,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	/* One that only says "restart" has no code to look at. */
	if (seal->manifest.kind == HOTPATCH_KIND_RESTART)
		return HOTPATCH_OK;
	status =
		hp_binary_read_debug(&seal->bundle, seal->debug_directory, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_seal_check_bundle(seal);
	check_unsealed(seal);
	for (i = 0; i < seal->target_count && status == HOTPATCH_OK; i++)
		status = analyse_target(seal, i, err);
	if (status == HOTPATCH_OK && seal->problems.no_memory)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, seal->path,
				"no memory to look at %s", seal->path);
	return status;
}

void hp_seal_close(struct hp_seal *seal)
{
	size_t i;

	for (i = 0; i < seal->target_count; i++) {
		hp_binary_close(&seal->targets[i]);
		free(seal->facts[i].functions);
		free(seal->facts[i].imports);
		free(seal->facts[i].redirects);
	}
	hp_binary_close(&seal->bundle);
	hp_problems_release(&seal->problems);
	free(seal->targets);
	free(seal->facts);
	free(seal->hashes);
	hp_manifest_release(&seal->manifest);
	hp_file_release(&seal->file);
	memset(seal, 0, sizeof(*seal));
}
