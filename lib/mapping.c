/* SPDX-License-Identifier: MIT */
/*
 * Looks whether what the loader mapped has the records that the file's notes
 * promise. The bytes were verified, but the mapped ones could be others.
 */
#include "mapping.h"

#include "status.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool hp_mapping_has(const struct hp_mapping *mapping, uintptr_t place,
		    size_t size, ElfW(Word) flags)
{
	const ElfW(Phdr) *segment;
	uintptr_t offset;
	size_t i;

	for (i = 0; i < mapping->segment_count; i++) {
		segment = &mapping->segments[i];
		offset = place - mapping->base - segment->p_vaddr;
		if (segment->p_type == PT_LOAD &&
		    (segment->p_flags & flags) == flags &&
		    offset < segment->p_memsz &&
		    size <= segment->p_memsz - offset)
			return true;
	}
	return false;
}

bool hp_mapping_has_text(const struct hp_mapping *mapping, const char *text)
{
	uintptr_t place = (uintptr_t)text;

	for (;; place++) {
		if (!hp_mapping_has(mapping, place, 1, PF_R))
			return false;
		if (!*(const char *)place)
			return true;
	}
}

static enum hotpatch_status swapped(const char *path, const char *what,
				    struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_SWAPPED, 0, path,
			"%s as it was mapped %s", path, what);
}

static bool is_record(const struct hp_mapping *mapping,
		      const struct hotpatch_replacement *record)
{
	uintptr_t original = (uintptr_t)record->original;

	return hp_mapping_has_text(mapping, record->module) &&
	       hp_mapping_has_text(mapping, record->file) &&
	       hp_mapping_has_text(mapping, record->name) &&
	       hp_mapping_has(mapping, (uintptr_t)record->function, 1, PF_X) &&
	       original % sizeof(void *) == 0 &&
	       hp_mapping_has(mapping, original, sizeof(void *), PF_R | PF_W);
}

static bool is_import(const struct hp_mapping *mapping,
		      const struct hotpatch_import *record)
{
	size_t size = record->kind == HOTPATCH_IMPORT_THREAD_LOCAL ?
			      sizeof(struct hotpatch_thread_local) :
			      sizeof(void *);
	uintptr_t place = (uintptr_t)record->place;

	return hp_mapping_has_text(mapping, record->patch) &&
	       hp_mapping_has_text(mapping, record->module) &&
	       hp_mapping_has_text(mapping, record->file) &&
	       hp_mapping_has_text(mapping, record->name) &&
	       place % sizeof(void *) == 0 &&
	       hp_mapping_has(mapping, place, size, PF_R | PF_W);
}

static bool is_export(const struct hp_mapping *mapping,
		      const struct hotpatch_export *record)
{
	return hp_mapping_has_text(mapping, record->name) &&
	       hp_mapping_has_text(mapping, record->type) &&
	       hp_mapping_has(mapping, (uintptr_t)record->address, 1, PF_R);
}

/* A table of @size bytes, which may be none at all. */
static bool is_table(const struct hp_mapping *mapping, const void *start,
		     const void *stop, size_t size)
{
	uintptr_t first = (uintptr_t)start;

	if ((uintptr_t)stop < first || (uintptr_t)stop - first != size)
		return false;
	return !size || (first % sizeof(void *) == 0 &&
			 hp_mapping_has(mapping, first, size, PF_R));
}

/* Earlier headers made a smaller one, later ones a larger one; all that is
 * read here is in each. */
static bool has_size(const struct hp_mapping *mapping,
		     const struct hotpatch_bundle *bundle)
{
	size_t size;

	if ((uintptr_t)bundle % sizeof(void *) != 0 ||
	    !hp_mapping_has(mapping, (uintptr_t)bundle, HOTPATCH_BUNDLE_SIZE_0,
			    PF_R))
		return false;
	size = bundle->size ? bundle->size : HOTPATCH_BUNDLE_SIZE_0;
	return size >= HOTPATCH_BUNDLE_SIZE_0 &&
	       hp_mapping_has(mapping, (uintptr_t)bundle, size, PF_R);
}

static bool is_bundle(const struct hp_mapping *mapping,
		      const struct hotpatch_bundle *bundle,
		      const struct hp_manifest *manifest)
{
	if (!has_size(mapping, bundle) || !bundle->format ||
	    bundle->format > HOTPATCH_NOTE_FORMAT)
		return false;
	return is_table(mapping, bundle->start, bundle->stop,
			manifest->replace_count * sizeof(*bundle->start)) &&
	       is_table(mapping, bundle->imports_start, bundle->imports_stop,
			manifest->import_count *
				sizeof(*bundle->imports_start)) &&
	       is_table(mapping, bundle->exports_start, bundle->exports_stop,
			manifest->export_count *
				sizeof(*bundle->exports_start));
}

/*
 * Link-time optimisation may give notes and records different orders, so both
 * are sorted before they are compared. @one and @other have room for all.
 */
static bool match_records(const struct hp_mapping *mapping,
			  const struct hotpatch_bundle *bundle,
			  const struct hp_manifest *manifest,
			  struct hp_replace *one, struct hp_replace *other)
{
	size_t count = manifest->replace_count;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!is_record(mapping, &bundle->start[i]))
			return false;
		one[i].module = bundle->start[i].module;
		one[i].file = bundle->start[i].file;
		one[i].name = bundle->start[i].name;
		other[i] = manifest->replaces[i];
	}
	qsort(one, count, sizeof(*one), hp_replace_compare);
	qsort(other, count, sizeof(*other), hp_replace_compare);
	for (i = 0; i < count; i++)
		if (hp_replace_compare(&one[i], &other[i]) != 0)
			return false;
	return true;
}

static bool has_callback(const struct hotpatch_bundle *bundle,
			 const struct hp_callback *wanted)
{
	const struct hotpatch_callback *record = bundle->callbacks;

	for (; record < bundle->callbacks_stop; record++)
		if (record->kind == wanted->kind &&
		    strcmp(record->object, wanted->object) == 0)
			return true;
	return false;
}

/* No two of the manifest's callbacks are alike, so if there are as many
 * records and each of them is found, there are no others. */
static bool match_callbacks(const struct hp_mapping *mapping,
			    const struct hotpatch_bundle *bundle,
			    const struct hp_manifest *manifest)
{
	uintptr_t start = (uintptr_t)bundle->callbacks;
	uintptr_t size = (uintptr_t)bundle->callbacks_stop - start;
	const struct hotpatch_callback *record = bundle->callbacks;
	size_t i;

	if (size != manifest->callback_count * sizeof(*record) ||
	    (size && (start % sizeof(void *) != 0 ||
		      !hp_mapping_has(mapping, start, size, PF_R))))
		return false;
	for (; record < bundle->callbacks_stop; record++)
		if (!hp_mapping_has_text(mapping, record->object) ||
		    !hp_mapping_has(mapping, (uintptr_t)record->function, 1,
				    PF_X))
			return false;
	for (i = 0; i < manifest->callback_count; i++)
		if (!has_callback(bundle, &manifest->callbacks[i]))
			return false;
	return true;
}

static bool match_imports(const struct hp_mapping *mapping,
			  const struct hotpatch_bundle *bundle,
			  const struct hp_manifest *manifest)
{
	const struct hotpatch_import *record;
	size_t i;

	for (i = 0; i < manifest->import_count; i++)
		if (!is_import(mapping, &bundle->imports_start[i]))
			return false;
	for (i = 0; i < manifest->import_count; i++) {
		record = hp_import_record(bundle, manifest, i);
		if (!record || record->kind != manifest->imports[i].kind)
			return false;
	}
	return true;
}

static bool match_exports(const struct hp_mapping *mapping,
			  const struct hotpatch_bundle *bundle,
			  const struct hp_manifest *manifest)
{
	size_t i;

	for (i = 0; i < manifest->export_count; i++)
		if (!is_export(mapping, &bundle->exports_start[i]))
			return false;
	return true;
}

enum hotpatch_status hp_records_check(const struct hp_mapping *mapping,
				      const struct hotpatch_bundle *bundle,
				      const struct hp_manifest *manifest,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_replace *room;

	if (!is_bundle(mapping, bundle, manifest))
		return swapped(mapping->path, "has not the table of the file",
			       err);
	room = calloc(manifest->replace_count * 2 + 1, sizeof(*room));
	if (!room)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM,
				mapping->path, "no memory to compare %s",
				mapping->path);
	if (!match_records(mapping, bundle, manifest, room,
			   room + manifest->replace_count))
		status = swapped(mapping->path,
				 "replaces other functions than the file", err);
	else if (!match_callbacks(mapping, bundle, manifest))
		status = swapped(mapping->path,
				 "has other callbacks than the file", err);
	else if (!match_imports(mapping, bundle, manifest) ||
		 !match_exports(mapping, bundle, manifest))
		status = swapped(mapping->path,
				 "imports or exports others than the file",
				 err);
	free(room);
	return status;
}

/* They usually come in one order. */
struct hotpatch_import *hp_import_record(const struct hotpatch_bundle *bundle,
					 const struct hp_manifest *manifest,
					 size_t index)
{
	const struct hp_import *wanted = &manifest->imports[index];
	size_t count = manifest->import_count;
	struct hotpatch_import *record;
	size_t i;

	for (i = 0; i < count; i++) {
		record = &bundle->imports_start[(index + i) % count];
		if (!strcmp(record->name, wanted->name) &&
		    !strcmp(record->file, wanted->file) &&
		    !strcmp(record->module, wanted->module) &&
		    !strcmp(record->patch, wanted->patch))
			return record;
	}
	return NULL;
}
