/* SPDX-License-Identifier: MIT */
/*
 * A sealed function lies where the seal found it in this very build, so that
 * a host needs no symbols; its bytes have to be those of the build, apart from
 * the jumps that this library wrote itself.
 */
#include "find.h"

#include "../engine.h"
#include "../prototype.h"
#include "../redirects.h"
#include "../sealed.h"
#include "../status.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

bool hp_finding_open(struct hp_finding *finding, struct hotpatch_patch *patch,
		     struct hotpatch_error *err)
{
	size_t count = patch->manifest.replace_count + 1;

	memset(finding, 0, sizeof(*finding));
	finding->patch = patch;
	finding->err = err;
	finding->items = calloc(count, sizeof(*finding->items));
	finding->indices = calloc(count, sizeof(*finding->indices));
	finding->pins = calloc(patch->manifest.target_count + 1,
			       sizeof(*finding->pins));
	return finding->items && finding->indices && finding->pins;
}

void hp_finding_close(struct hp_finding *finding)
{
	while (finding->pin_count)
		hp_image_unpin(finding->pins[--finding->pin_count]);
	free(finding->items);
	free(finding->indices);
	free(finding->pins);
}

static enum hotpatch_status refuse(const struct hp_finding *finding,
				   enum hotpatch_status status,
				   const struct hp_replace *replace,
				   const char *module, const char *why)
{
	return hp_error(finding->err, status, 0, replace->name,
			"%s%s%s in %s: %s", replace->file,
			replace->file[0] ? ":" : "", replace->name, module,
			why);
}

/* Keeps it loaded; false if it is another one by now. */
static bool pin(struct hp_finding *finding,
		const struct hp_target_search *search)
{
	void *handle;

	if (search->facts.program)
		return true;
	handle = dlopen(search->path, RTLD_LAZY | RTLD_NOLOAD);
	if (!handle)
		return false;
	finding->pins[finding->pin_count++] = handle;
	return hp_module_opened_at(handle, search->facts.base);
}

/* The original's bytes in place of a jump of ours, as far as it lies in the
 * @size @bytes that were at @start. */
static void undo_jump(const struct hp_redirected *record, uintptr_t start,
		      unsigned char *bytes, size_t size)
{
	const struct hp_function *function = record->function;
	const struct hp_trampoline *trampoline = &record->trampoline;
	uintptr_t head = record->start + function->skip;
	size_t i;

	if (memcmp((const void *)head, trampoline->jump,
		   trampoline->jump_size) != 0)
		return;
	for (i = 0; i < trampoline->jump_size; i++)
		if (head + i - start < size)
			bytes[head + i - start] =
				function->bytes[function->skip + i];
}

/* Takes out what this library wrote there: for it, a jump may reach into the
 * function from the one before. */
static void undo_jumps(const struct hp_host *host,
		       const struct hp_function *function, unsigned char *bytes,
		       size_t size)
{
	const struct hp_function *functions;
	size_t count;
	size_t i;

	functions = hp_code_functions(host->code, &count);
	i = (size_t)(function - functions);
	i = i > HP_EDIT_SIZE ? i - HP_EDIT_SIZE : 0;
	for (; i < count && functions[i].start < function->start + size; i++)
		if (host->records[i] && host->records[i]->on)
			undo_jump(host->records[i],
				  host->base + function->start, bytes, size);
}

/* Are the @size bytes there those that @digest is of? */
static bool has_digest(const struct hp_host *host,
		       const struct hp_function *function, size_t size,
		       uint64_t digest)
{
	unsigned char *bytes = malloc(size);
	bool same;

	if (!bytes)
		return false;
	memcpy(bytes, (const void *)(host->base + function->start), size);
	undo_jumps(host, function, bytes, size);
	same = hp_file_digest(bytes, size) == digest;
	free(bytes);
	return same;
}

static bool has_head(const struct hp_host *host,
		     const struct hp_function *function)
{
	unsigned char bytes[sizeof(function->bytes)];

	memcpy(bytes, (const void *)(host->base + function->start),
	       function->byte_count);
	undo_jumps(host, function, bytes, function->byte_count);
	return memcmp(bytes, function->bytes, function->byte_count) == 0;
}

/* Is it the entry of a function that the host defined as patchable? */
static bool is_prepared(uintptr_t address)
{
	const struct hp_module *module;
	bool found = false;
	size_t i;

	hp_engine_lock();
	for (module = hp_modules; module; module = module->next)
		for (i = 0; module->start && i < module->count; i++)
			found |= (uintptr_t)module->start[i].entry == address;
	hp_engine_unlock();
	return found;
}

static bool has_prototype(const struct hp_redirected *record,
			  const struct hp_replace *replace)
{
	return !record || !record->slot.prototype[0] ||
	       hp_prototype_equal(record->slot.prototype, replace->prototype);
}

/* What is asked of a function before anything changes. Of one that is @sealed
 * the types were compared as the compiler knows them. */
static enum hotpatch_status check(const struct hp_finding *finding,
				  const struct hp_replace *replace,
				  const struct hp_host *host,
				  const struct hp_function *function,
				  bool sealed)
{
	const char *module = host->facts.name;
	size_t i;

	if (is_prepared(host->base + function->start))
		return refuse(finding, HOTPATCH_E_PREPARED, replace, module,
			      "HOTPATCH_REPLACE() is for functions that the "
			      "host prepared");
	if (function->refusal != HOTPATCH_REFUSAL_NONE)
		return refuse(finding, HOTPATCH_E_IMMUTABLE, replace, module,
			      hotpatch_refusal_text((enum hotpatch_refusal)
							    function->refusal));
	if (!sealed &&
	    !has_prototype(hp_host_neighbour(host, function, 0), replace))
		return refuse(finding, HOTPATCH_E_PROTOTYPE, replace, module,
			      "it is known to be of another type");
	for (i = 0; i < finding->count; i++)
		if (finding->items[i].function == function &&
		    finding->items[i].host == host)
			return refuse(finding, HOTPATCH_E_DUPLICATE, replace,
				      module,
				      "another name of it is "
				      "redirected, too");
	return HOTPATCH_OK;
}

/* Where the seal says, with the bytes that it saw. */
static enum hotpatch_status
find_sealed(const struct hp_finding *finding, const struct hp_replace *replace,
	    const struct hotpatch_sealed_redirect *fact,
	    const struct hp_target_search *search, struct hp_host **host,
	    const struct hp_function **function)
{
	uintptr_t address = search->facts.base + fact->offset;
	const char *module = search->facts.name;
	enum hotpatch_status status;

	if (!hp_module_maps(&search->facts, address, fact->size, PF_R | PF_X))
		return refuse(finding, HOTPATCH_E_NO_FUNCTION, replace, module,
			      "it lies outside of the code as it is sealed");
	status = hp_host_around(address, host, finding->err);
	if (!*host)
		return status;
	*function = hp_code_at((*host)->code, fact->offset);
	if (!*function)
		return refuse(finding, HOTPATCH_E_NO_FUNCTION, replace, module,
			      "no function is known to begin where it is "
			      "sealed");
	if (has_digest(*host, *function, fact->size, fact->hash))
		return HOTPATCH_OK;
	return refuse(finding, HOTPATCH_E_FOREIGN, replace, module,
		      "its bytes are not those that were sealed; a debugger or "
		      "another tool was there");
}

static enum hotpatch_status find_named(const struct hp_finding *finding,
				       const struct hp_replace *replace,
				       const struct hp_target_search *search,
				       struct hp_host **host,
				       const struct hp_function **function)
{
	const char *module = search->facts.name;
	enum hotpatch_status status;

	if (replace->file[0])
		return refuse(finding, HOTPATCH_E_NOT_SEALED, replace, module,
			      "it is static, and the bundle is not sealed for "
			      "this build");
	status = hp_host_around(search->facts.start, host, finding->err);
	if (!*host)
		return status;
	status = hp_host_named(host, replace->name, function, finding->err);
	if (status != HOTPATCH_OK || has_head(*host, *function))
		return status;
	return refuse(finding, HOTPATCH_E_FOREIGN, replace, module,
		      "its first bytes are not those of its file; a debugger "
		      "or another tool was there");
}

static enum hotpatch_status find_one(struct hp_finding *finding, size_t index,
				     const struct hp_target_search *search)
{
	const struct hp_replace *replace =
		&finding->patch->manifest.replaces[index];
	struct hp_batch_item *item = &finding->items[finding->count];
	struct hotpatch_sealed_redirect fact;
	bool sealed = hp_sealed_redirect(search->target, index, &fact);
	enum hotpatch_status status;

	if (sealed) {
		status = find_sealed(finding, replace, &fact, search,
				     &item->host, &item->function);
		item->name.prototype = replace->prototype;
	} else {
		status = find_named(finding, replace, search, &item->host,
				    &item->function);
	}
	if (status == HOTPATCH_OK)
		status = check(finding, replace, item->host, item->function,
			       sealed);
	if (status != HOTPATCH_OK)
		return status;
	item->name.name = replace->name;
	finding->indices[finding->count++] = index;
	return HOTPATCH_OK;
}

static enum hotpatch_status other_build(const struct hp_finding *finding,
					const char *name,
					const struct hp_target_search *search)
{
	const char *shown = *name ? name : "the program";

	return hp_error(finding->err, HOTPATCH_E_WRONG_TARGET, 0, shown,
			search->other ?
				"%s redirects functions of another "
				"build of %s than the one that is "
				"loaded" :
				"%s redirects functions of %s, which is "
				"not loaded",
			finding->patch->manifest.name, shown);
}

static bool is_wanted(const struct hotpatch_patch *patch, size_t index,
		      const char *name)
{
	const struct hp_replace *replace = &patch->manifest.replaces[index];

	return replace->redirect && !patch->redirects[index].slot &&
	       !strcmp(hp_target_name(&patch->manifest, replace->module), name);
}

enum hotpatch_status hp_find_in(struct hp_finding *finding, const char *name,
				struct hp_target_search *search)
{
	const struct hotpatch_patch *patch = finding->patch;
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	hp_target_find(&patch->manifest, name, search);
	if (!search->target)
		return search->other ? other_build(finding, name, search) :
				       HOTPATCH_OK;
	if (!pin(finding, search))
		return hp_error(finding->err, HOTPATCH_E_NO_MODULE, 0, name,
				"%s is just being closed", name);
	for (i = 0; i < patch->manifest.replace_count && !status; i++)
		if (is_wanted(patch, i, name))
			status = find_one(finding, i, search);
	return status;
}

/* Is the target the first of its name, of which functions are wanted? */
static bool has_wanted(const struct hotpatch_patch *patch, size_t target)
{
	const char *name = patch->manifest.targets[target].module;
	size_t i;

	for (i = 0; i < target; i++)
		if (!strcmp(patch->manifest.targets[i].module, name))
			return false;
	for (i = 0; i < patch->manifest.replace_count; i++)
		if (is_wanted(patch, i, name))
			return true;
	return false;
}

enum hotpatch_status hp_find_all(struct hp_finding *finding)
{
	const struct hp_manifest *manifest = &finding->patch->manifest;
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_target_search search;
	size_t i;

	for (i = 0; i < manifest->target_count && !status; i++) {
		if (!has_wanted(finding->patch, i))
			continue;
		status = hp_find_in(finding, manifest->targets[i].module,
				    &search);
		if (status == HOTPATCH_OK && i == 0 && !search.target)
			status = other_build(
				finding, manifest->targets[i].module, &search);
	}
	return status;
}
