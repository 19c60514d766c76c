/* SPDX-License-Identifier: MIT */
/*
 * Functions that nobody prepared: where each lies in a build, whether it can be
 * redirected, and what its bytes are, so that the library finds it in a process
 * without symbols and notices if somebody else changed it.
 */
#include "abi.h"
#include "seal.h"
#include "traps.h"
#include "verdict.h"

#include "../../file.h"
#include "../../sealed.h"

#include <string.h>

/* One of them while it is looked for in one build. */
struct wanted {
	struct hp_seal *seal;
	size_t index;	/* of the target */
	size_t replace; /* of the manifest's */
	const struct hp_code *code;
	struct hp_traps traps;
};

static const struct hp_replace *replace_of(const struct wanted *wanted)
{
	return &wanted->seal->manifest.replaces[wanted->replace];
}

static const struct hp_binary *host_of(const struct wanted *wanted)
{
	return &wanted->seal->targets[wanted->index];
}

static void report(const struct wanted *wanted, enum hp_reason reason,
		   const char *why)
{
	const struct hp_replace *replace = replace_of(wanted);

	hp_problem_add(&wanted->seal->problems, reason, replace->name,
		       "%s%s%s in %s: %s", replace->file,
		       *replace->file ? ":" : "", replace->name,
		       host_of(wanted)->path, why);
}

static bool is_candidate(const struct hp_replace *replace,
			 const struct hp_function *function)
{
	return !*replace->file || !strcmp(replace->file, function->file);
}

/* The one with code that others see, or do not. */
static struct hp_function *choose(const struct wanted *wanted, bool external,
				  bool *several)
{
	const struct hp_replace *replace = replace_of(wanted);
	const struct hp_binary *host = host_of(wanted);
	struct hp_function *function = hp_binary_function(host, replace->name);
	struct hp_function *found = NULL;

	*several = false;
	for (; function; function = hp_function_next(host, function)) {
		if (!is_candidate(replace, function) || !function->has_code ||
		    !function->address || function->is_external != external)
			continue;
		*several |= found && found->address != function->address;
		found = function;
	}
	return found;
}

/* One that has no code of its own, or NULL. */
static struct hp_function *find_absent(const struct wanted *wanted)
{
	const struct hp_replace *replace = replace_of(wanted);
	const struct hp_binary *host = host_of(wanted);
	struct hp_function *function = hp_binary_function(host, replace->name);

	while (function && !is_candidate(replace, function))
		function = hp_function_next(host, function);
	return function;
}

/* One that others see is meant rather than a static one of the same name; of
 * several static ones the file has to tell. */
static struct hp_function *find_function(const struct wanted *wanted)
{
	const struct hp_replace *replace = replace_of(wanted);
	struct hp_function *absent;
	struct hp_function *found;
	GElf_Sym symbol;
	bool several;

	if (hp_seal_original(host_of(wanted), replace->name, replace->file)) {
		report(wanted, HP_REASON_PREPARED, "the host prepared it");
		return NULL;
	}
	found = choose(wanted, true, &several);
	if (!found)
		found = choose(wanted, false, &several);
	if (found && !several)
		return found;
	absent = find_absent(wanted);
	if (several)
		report(wanted, HP_REASON_NO_FUNCTION,
		       "there are several functions of that name");
	else if (absent)
		hp_traps_check(&wanted->traps, absent, &wanted->seal->problems);
	else if (!hp_binary_function(host_of(wanted), replace->name) &&
		 hp_binary_symbol(host_of(wanted), false, replace->name,
				  &symbol))
		report(wanted, HP_REASON_NO_DEBUG,
		       "there is no debugging information of it");
	else
		report(wanted, HP_REASON_NO_FUNCTION,
		       "there is no such function");
	return NULL;
}

/* @size bytes of code at @address, as they are in the file; NULL if they are
 * not all there. */
static const void *code_at(const struct hp_binary *binary, uint64_t address,
			   uint64_t size)
{
	GElf_Phdr segment;
	Elf_Data *data;
	size_t count;
	size_t i;

	if (elf_getphdrnum(binary->elf, &count))
		return NULL;
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(binary->elf, (int)i, &segment) ||
		    segment.p_type != PT_LOAD || !(segment.p_flags & PF_X) ||
		    address - segment.p_vaddr >= segment.p_filesz ||
		    size > segment.p_filesz - (address - segment.p_vaddr))
			continue;
		data = elf_getdata_rawchunk(
			binary->elf,
			(int64_t)(segment.p_offset + address - segment.p_vaddr),
			size, ELF_T_BYTE);
		return data && data->d_size == size ? data->d_buf : NULL;
	}
	return NULL;
}

static void record(const struct wanted *wanted,
		   const struct hp_function *function)
{
	struct hp_verdict verdict =
		hp_verdict_of(wanted->code, function->address);
	struct hp_facts *facts = &wanted->seal->facts[wanted->index];
	struct hotpatch_sealed_redirect *fact;
	const void *bytes = NULL;

	if (verdict.why) {
		report(wanted, HP_REASON_IMMUTABLE, verdict.why);
		return;
	}
	if (verdict.size && verdict.size <= HP_SEALED_CODE_LIMIT)
		bytes = code_at(host_of(wanted), function->address,
				verdict.size);
	if (!bytes) {
		report(wanted, HP_REASON_IMMUTABLE, "its size is not known");
		return;
	}
	fact = &facts->redirects[facts->redirect_count++];
	fact->function = (uint32_t)wanted->replace;
	fact->size = (uint32_t)verdict.size;
	fact->offset = function->address;
	fact->hash = hp_file_digest(bytes, verdict.size);
}

static void check(const struct wanted *wanted)
{
	struct hp_function *bundle = hp_seal_replacement(
		&wanted->seal->bundle, replace_of(wanted)->name);
	struct hp_function *host = find_function(wanted);

	if (!host)
		return;
	if (!bundle) {
		hp_problem_add(&wanted->seal->problems, HP_REASON_NO_DEBUG,
			       replace_of(wanted)->name,
			       "the debugging information of the bundle has no "
			       "body for %s",
			       replace_of(wanted)->name);
		return;
	}
	hp_seal_check_types(wanted->seal, wanted->index, wanted->replace, host,
			    bundle);
	record(wanted, host);
	hp_traps_check(&wanted->traps, host, &wanted->seal->problems);
}

/* A caller that is new, too, is no trap: what it holds is not used any more. */
static bool is_covered(void *context, const char *name)
{
	const struct wanted *wanted = context;

	return hp_seal_replaces(wanted->seal, name, false, wanted->index) ||
	       (hp_seal_original(host_of(wanted), name, "") &&
		hp_seal_replaces(wanted->seal, name, true, wanted->index));
}

static bool wants_any(const struct hp_seal *seal, size_t index)
{
	const struct hp_replace *replace = seal->manifest.replaces;
	size_t i;

	for (i = 0; i < seal->manifest.replace_count; i++)
		if (replace[i].redirect &&
		    hp_seal_is_for(seal, replace[i].module, index))
			return true;
	return false;
}

static void check_all(struct wanted *wanted)
{
	const struct hp_manifest *manifest = &wanted->seal->manifest;
	const struct hp_replace *replace = manifest->replaces;
	size_t i;

	for (i = 0; i < manifest->replace_count; i++) {
		wanted->replace = i;
		if (replace[i].redirect &&
		    hp_seal_is_for(wanted->seal, replace[i].module,
				   wanted->index))
			check(wanted);
	}
}

enum hotpatch_status hp_seal_check_redirects(struct hp_seal *seal, size_t index,
					     struct hotpatch_error *err)
{
	const struct hp_binary *host = &seal->targets[index];
	struct wanted wanted = {.seal = seal, .index = index};
	enum hotpatch_status status;

	if (!wants_any(seal, index))
		return HOTPATCH_OK;
	status = hp_verdict_open(host->path, host->build_id, &wanted.code, err);
	if (status != HOTPATCH_OK)
		return status;
	if (hp_traps_open(&wanted.traps, host)) {
		wanted.traps.covers = is_covered;
		wanted.traps.context = &wanted;
		check_all(&wanted);
	} else {
		seal->problems.no_memory = true;
	}
	hp_traps_close(&wanted.traps);
	return HOTPATCH_OK;
}
