/* SPDX-License-Identifier: MIT */
/*
 * An import of the host lies where the seal found it in this very build, or,
 * if it is exported, where the dynamic loader says. The module is held by a
 * handle, so that it cannot be closed while the bundle's code may use it; a
 * patch that others import from is not unmapped before they are.
 */
#include "import.h"

#include "atomic.h"
#include "engine.h"
#include "image.h"
#include "mapping.h"
#include "patch.h"
#include "prototype.h"
#include "sealed.h"
#include "status.h"
#include "target.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* The loader's own; its argument begins with the two words that it reads. */
extern void *__tls_get_addr(const struct hotpatch_thread_local *place);

/* One import while it is looked for. */
struct wanted {
	const struct hp_import *import;
	size_t index;
	const char *module; /* "" for the program */
	struct hp_target_search source;
	void *handle; /* of the source; NULL for the program */
	struct hp_place *place;
	struct hotpatch_error *err;
};

static enum hotpatch_status find_source(const struct hp_manifest *manifest,
					struct wanted *wanted)
{
	struct hp_target_search *source = &wanted->source;
	const char *name = wanted->import->name;
	const char *shown = *wanted->module ? wanted->module : "the program";

	hp_loader_enter();
	hp_target_find(manifest, wanted->module, source);
	hp_loader_leave();
	if (source->target)
		return HOTPATCH_OK;
	if (source->other)
		return hp_error(wanted->err, HOTPATCH_E_WRONG_TARGET, 0, name,
				"%s is imported from another build of %s than "
				"the one that is loaded",
				name, shown);
	return hp_error(wanted->err, HOTPATCH_E_IMPORT, 0, name,
			"%s is imported from %s, which is not loaded", name,
			shown);
}

static enum hotpatch_status misplaced(const struct wanted *wanted)
{
	return hp_error(wanted->err, HOTPATCH_E_IMPORT, 0, wanted->import->name,
			"%s lies outside of its module as it is sealed",
			wanted->import->name);
}

/* Thread-local variables of the program are at one distance from the pointer
 * of every thread; for others the loader is asked each time. */
static void set_thread_local(const struct wanted *wanted, uintptr_t offset)
{
	const struct hp_module_facts *facts = &wanted->source.facts;
	struct hotpatch_thread_local *place =
		&wanted->place->thread_local_place;

	place->module = facts->tls;
	place->offset = offset;
	place->address = __tls_get_addr;
	if (!facts->program)
		return;
	place->offset = (uintptr_t)__tls_get_addr(place) -
			HOTPATCH_ARCH_THREAD_POINTER();
	place->address = NULL;
}

static enum hotpatch_status
place_sealed(const struct wanted *wanted,
	     const struct hotpatch_sealed_import *fact)
{
	const struct hp_module_facts *facts = &wanted->source.facts;
	uintptr_t address = facts->base + fact->offset;
	size_t size = fact->size ? fact->size : 1;

	if (fact->kind == HOTPATCH_SEALED_TLS) {
		if (!facts->tls || fact->offset >= facts->tls_size ||
		    size > facts->tls_size - fact->offset)
			return misplaced(wanted);
		set_thread_local(wanted, fact->offset);
		return HOTPATCH_OK;
	}
	if (!hp_module_maps(facts, address, size,
			    fact->kind == HOTPATCH_SEALED_CODE ? PF_R | PF_X :
								 PF_R))
		return misplaced(wanted);
	wanted->place->address = address;
	return HOTPATCH_OK;
}

/* Where @address lies in the calling thread's block of the module; SIZE_MAX if
 * it does not. */
static uintptr_t offset_in_block(const struct hp_module_facts *facts,
				 uintptr_t address)
{
	const struct hotpatch_thread_local start = {facts->tls, 0, NULL};
	uintptr_t offset;

	if (!facts->tls)
		return SIZE_MAX;
	offset = address - (uintptr_t)__tls_get_addr(&start);
	return offset < facts->tls_size ? offset : SIZE_MAX;
}

static void *look_up(const struct wanted *wanted)
{
	void *address;

	hp_loader_enter();
	address = dlsym(wanted->handle ? wanted->handle : RTLD_DEFAULT,
			wanted->import->name);
	hp_loader_leave();
	return address;
}

static enum hotpatch_status place_exported(const struct wanted *wanted)
{
	const char *name = wanted->import->name;
	uintptr_t address = (uintptr_t)look_up(wanted);
	uintptr_t offset;

	if (!address)
		return hp_error(wanted->err, HOTPATCH_E_IMPORT, 0, name,
				"%s is not exported by %s", name,
				wanted->source.facts.name);
	offset = offset_in_block(&wanted->source.facts, address);
	if ((wanted->import->kind == HOTPATCH_IMPORT_THREAD_LOCAL) !=
	    (offset != SIZE_MAX))
		return hp_error(wanted->err, HOTPATCH_E_IMPORT_TYPE, 0, name,
				"%s is %sthread-local in %s", name,
				offset == SIZE_MAX ? "not " : "",
				wanted->source.facts.name);
	if (wanted->import->kind == HOTPATCH_IMPORT_THREAD_LOCAL)
		set_thread_local(wanted, offset);
	else
		wanted->place->address = address;
	return HOTPATCH_OK;
}

static enum hotpatch_status place(const struct wanted *wanted)
{
	const struct hp_import *import = wanted->import;
	struct hotpatch_sealed_import fact;

	if (hp_sealed_import(wanted->source.target, wanted->index, &fact) &&
	    fact.kind != HOTPATCH_SEALED_EXPORTED)
		return place_sealed(wanted, &fact);
	if (*import->file)
		return hp_error(wanted->err, HOTPATCH_E_NOT_SEALED, 0,
				import->name,
				"%s is static in %s, and the bundle is not "
				"sealed for this build of %s",
				import->name, import->file,
				wanted->source.facts.name);
	return place_exported(wanted);
}

static bool pin(struct wanted *wanted, struct hp_imports *imports)
{
	if (wanted->source.facts.program)
		return true;
	wanted->handle = hp_image_pin(wanted->source.path);
	if (wanted->handle)
		imports->pins[imports->pin_count++] = wanted->handle;
	return wanted->handle != NULL;
}

static enum hotpatch_status find_one(const struct hp_manifest *manifest,
				     struct wanted *wanted,
				     struct hp_imports *imports)
{
	enum hotpatch_status status = find_source(manifest, wanted);

	if (status != HOTPATCH_OK)
		return status;
	if (!pin(wanted, imports))
		return hp_error(wanted->err, HOTPATCH_E_IMPORT, 0,
				wanted->import->name,
				"%s is imported from %s, which is being closed",
				wanted->import->name,
				wanted->source.facts.name);
	return place(wanted);
}

static bool reserve(struct hp_imports *imports, size_t count)
{
	imports->places = calloc(count + 1, sizeof(*imports->places));
	imports->pins = calloc(count + 1, sizeof(*imports->pins));
	imports->exporters = calloc(count + 1, sizeof(*imports->exporters));
	return imports->places && imports->pins && imports->exporters;
}

enum hotpatch_status hp_imports_find(const struct hp_manifest *manifest,
				     struct hp_imports *imports,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct wanted wanted;
	size_t i;

	if (!reserve(imports, manifest->import_count))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, manifest->name,
				"no memory for the imports of %s",
				manifest->name);
	for (i = 0; i < manifest->import_count && !status; i++) {
		memset(&wanted, 0, sizeof(wanted));
		wanted.import = &manifest->imports[i];
		wanted.index = i;
		wanted.place = &imports->places[i];
		wanted.err = err;
		wanted.module = hp_target_name(manifest, wanted.import->module);
		if (!*wanted.import->patch)
			status = find_one(manifest, &wanted, imports);
	}
	return status;
}

void hp_imports_store(const struct hp_manifest *manifest,
		      const struct hp_imports *imports,
		      const struct hotpatch_bundle *bundle)
{
	const struct hotpatch_import *record;
	size_t i;

	for (i = 0; i < manifest->import_count; i++) {
		record = hp_import_record(bundle, manifest, i);
		if (record->kind == HOTPATCH_IMPORT_THREAD_LOCAL)
			memcpy(record->place,
			       &imports->places[i].thread_local_place,
			       sizeof(imports->places[i].thread_local_place));
		else
			memcpy(record->place, &imports->places[i].address,
			       sizeof(imports->places[i].address));
	}
}

static const struct hotpatch_export *
find_export(const struct hotpatch_patch *exporter, const char *name)
{
	const struct hotpatch_bundle *bundle = exporter->image.bundle;
	const struct hotpatch_export *export;

	for (export = bundle->exports_start; export < bundle->exports_stop;
	     export ++)
		if (!strcmp(export->name, name))
			return export;
	return NULL;
}

/* Finds what @patch wants of another patch; @export is NULL if it fails. */
static enum hotpatch_status find_exported(const struct hotpatch_patch *patch,
					  const struct hp_import *import,
					  struct hotpatch_patch **exporter,
					  const struct hotpatch_export **export,
					  struct hotpatch_error *err)
{
	const struct hotpatch_export *found;

	*export = NULL;
	*exporter = hp_patch_active(import->patch);
	if (!*exporter)
		return hp_error(err, HOTPATCH_E_REQUIRES, 0, import->patch,
				"%s imports %s from %s, which is not active",
				patch->manifest.name, import->name,
				import->patch);
	found = find_export(*exporter, import->name);
	if (!found)
		return hp_error(err, HOTPATCH_E_IMPORT, 0, import->name,
				"%s is not exported by the patch %s",
				import->name, import->patch);
	if (!hp_prototype_equal(found->type, import->type))
		return hp_error(err, HOTPATCH_E_IMPORT_TYPE, 0, import->name,
				"%s is %s in the patch %s, but %s in %s",
				import->name, found->type, import->patch,
				import->type, patch->manifest.name);
	*export = found;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_imports_check(const struct hotpatch_patch *patch,
				      struct hotpatch_error *err)
{
	const struct hp_import *import = patch->manifest.imports;
	const struct hp_import *end = import + patch->manifest.import_count;
	enum hotpatch_status status = HOTPATCH_OK;
	const struct hotpatch_export *export;
	struct hotpatch_patch *exporter;

	for (; import < end && !status; import++)
		if (*import->patch)
			status = find_exported(patch, import, &exporter,
					       &export, err);
	return status;
}

static enum hotpatch_status bind_one(struct hotpatch_patch *patch, size_t index,
				     struct hotpatch_error *err)
{
	const struct hp_import *import = &patch->manifest.imports[index];
	const struct hotpatch_export *export;
	struct hotpatch_patch *exporter;
	enum hotpatch_status status;
	void **place;

	status = find_exported(patch, import, &exporter, &export, err);
	if (!export)
		return status;
	place = hp_import_record(patch->image.bundle, &patch->manifest, index)
			->place;
	/* Relaxed: read by code that runs after its target was stored with
	 * release. */
	hp_store_relaxed(place, (void *)(uintptr_t) export->address);
	patch->imports.exporters[index] = exporter;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_imports_bind(struct hotpatch_patch *patch,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	for (i = 0; i < patch->manifest.import_count && !status; i++)
		if (*patch->manifest.imports[i].patch)
			status = bind_one(patch, i, err);
	return status;
}

static bool uses(const struct hotpatch_patch *user,
		 const struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < user->manifest.import_count; i++)
		if (user->imports.exporters[i] == patch)
			return true;
	return false;
}

/* One that was never visible has run nothing but its constructors. */
const struct hotpatch_patch *hp_imports_user(const struct hotpatch_patch *patch)
{
	const struct hotpatch_patch *user;

	for (user = hp_patches; user; user = user->next)
		if (user->state != HOTPATCH_CLOSED && user->born &&
		    uses(user, patch))
			return user;
	return NULL;
}

void hp_imports_release(struct hp_imports *imports)
{
	while (imports->pin_count)
		hp_image_unpin(imports->pins[--imports->pin_count]);
	free(imports->places);
	free(imports->pins);
	imports->places = NULL;
	imports->pins = NULL;
}
