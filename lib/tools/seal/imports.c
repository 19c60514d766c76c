/* SPDX-License-Identifier: MIT */
/*
 * Imports: where in a build each lies, how large it is, and whether the bundle
 * means the same type.
 */
#include "abi.h"
#include "seal.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

/* One import while it is looked for in one build. */
struct wanted {
	struct hp_seal *seal;
	size_t index; /* of the target */
	const struct hp_import *import;
	struct hotpatch_sealed_import *fact;
	bool is_known; /* a variable or function of the host describes it */
	bool is_function;
	Dwarf_Die die;
};

static const struct hp_binary *host_of(const struct wanted *wanted)
{
	return &wanted->seal->targets[wanted->index];
}

static bool is_exported(const struct wanted *wanted)
{
	GElf_Sym symbol;

	return !*wanted->import->file &&
	       hp_binary_symbol(host_of(wanted), true, wanted->import->name,
				&symbol);
}

static void report_missing(const struct wanted *wanted, const char *why)
{
	const struct hp_import *import = wanted->import;

	hp_problem_add(&wanted->seal->problems, HP_REASON_IMPORT, import->name,
		       "%s%s%s %s in %s", import->file,
		       *import->file ? ":" : "", import->name, why,
		       host_of(wanted)->path);
}

/* Fits the file and the kind; without a file a static of the only such name
 * will do. */
static bool is_candidate(const struct wanted *wanted, const char *file,
			 const char *function, bool is_thread_local)
{
	return (!*wanted->import->file ||
		!strcmp(wanted->import->file, file)) &&
	       !function &&
	       is_thread_local ==
		       (wanted->import->kind == HOTPATCH_IMPORT_THREAD_LOCAL);
}

static size_t find_variable(struct wanted *wanted)
{
	const struct hp_binary *host = host_of(wanted);
	struct hp_variable *variable =
		hp_binary_variable(host, wanted->import->name);
	uint64_t address = 0;
	size_t count = 0;

	for (; variable; variable = hp_variable_next(host, variable)) {
		if (!is_candidate(wanted, variable->file, variable->function,
				  variable->is_thread_local))
			continue;
		/* Units may describe one variable several times. */
		count += !count || variable->address != address;
		address = variable->address;
		wanted->die = variable->die;
		wanted->is_known = true;
	}
	wanted->fact->kind = wanted->import->kind ==
					     HOTPATCH_IMPORT_THREAD_LOCAL ?
				     HOTPATCH_SEALED_TLS :
				     HOTPATCH_SEALED_DATA;
	wanted->fact->offset = address;
	return count;
}

/* A patchable function is imported by its entry, which never moves. */
static bool find_entry(struct wanted *wanted, struct hp_function *original)
{
	const struct hp_binary *host = host_of(wanted);
	char name[320];
	GElf_Sym symbol;
	int line = 0;

	wanted->die = original->die;
	dwarf_decl_line(&original->die, &line);
	snprintf(name, sizeof(name), "%s__%d", wanted->import->name, line);
	if (!hp_binary_symbol(host, false, name, &symbol) &&
	    !hp_binary_symbol(host, false, wanted->import->name, &symbol))
		return false;
	wanted->fact->offset = symbol.st_value;
	wanted->fact->size = symbol.st_size;
	return true;
}

static size_t find_function(struct wanted *wanted)
{
	const struct hp_binary *host = host_of(wanted);
	struct hp_function *function = hp_seal_original(
		host, wanted->import->name, wanted->import->file);
	bool inlined = false;
	size_t count = 0;
	Dwarf_Addr end;

	wanted->is_function = true;
	wanted->fact->kind = HOTPATCH_SEALED_CODE;
	if (function) {
		wanted->is_known = true;
		return find_entry(wanted, function);
	}
	for (function = hp_binary_function(host, wanted->import->name);
	     function; function = hp_function_next(host, function)) {
		if (!is_candidate(wanted, function->file, NULL, false))
			continue;
		wanted->is_known = true;
		wanted->die = function->die;
		inlined = true;
		if (!function->has_code || !function->address)
			continue;
		count++;
		wanted->fact->offset = function->address;
		wanted->fact->size = dwarf_highpc(&function->die, &end) ?
					     0 :
					     end - function->address;
	}
	if (inlined && !count)
		report_missing(wanted, "was inlined everywhere and has no "
				       "code of its own");
	return count;
}

/* The variable that the macro defines has a pointer to the type. */
static bool bundle_type(const struct wanted *wanted, struct hp_type *type)
{
	const struct hp_binary *bundle = &wanted->seal->bundle;
	struct hp_variable *variable;
	struct hp_type pointer;
	char name[320];
	Dwarf_Die die;
	bool more;

	snprintf(name, sizeof(name), "%s__imported", wanted->import->name);
	variable = hp_binary_variable(bundle, name);
	if (!variable)
		return false;
	pointer = hp_die_type(&variable->die);
	if (pointer.is_void)
		return false;
	if (dwarf_tag(&pointer.die) == DW_TAG_pointer_type) {
		*type = hp_die_type(&pointer.die);
		return true;
	}
	for (more = hp_die_first(&pointer.die, &die); more;
	     more = hp_die_next(&die)) {
		name[0] = '\0';
		if (dwarf_tag(&die) != DW_TAG_member || !dwarf_diename(&die) ||
		    strcmp(dwarf_diename(&die), "type_") != 0)
			continue;
		pointer = hp_die_type(&die);
		if (pointer.is_void)
			return false;
		*type = hp_die_type(&pointer.die);
		return true;
	}
	return false;
}

static void check_type(struct wanted *wanted)
{
	const char *name = wanted->import->name;
	struct hp_comparison comparison = {
		.host = host_of(wanted),
		.bundle = &wanted->seal->bundle,
		.problems = &wanted->seal->problems,
		.reason = HP_REASON_IMPORT_TYPE,
		.object = name,
	};
	struct hp_type bundle;
	struct hp_type host = hp_die_type(&wanted->die);

	if (!bundle_type(wanted, &bundle)) {
		hp_problem_add(&wanted->seal->problems, HP_REASON_NO_DEBUG,
			       name,
			       "the debugging information of the bundle has no "
			       "type for %s",
			       name);
		return;
	}
	if (wanted->is_function && !bundle.is_void &&
	    dwarf_tag(&bundle.die) == DW_TAG_subroutine_type) {
		hp_abi_compare_functions(&comparison, &wanted->die,
					 &bundle.die);
		wanted->fact->type_hash =
			hp_abi_hash_function(host_of(wanted), &wanted->die);
	} else if (wanted->is_function) {
		hp_problem_add(&wanted->seal->problems, HP_REASON_IMPORT_TYPE,
			       name, "%s is a function in the host", name);
	} else {
		hp_abi_compare_types(&comparison, host, bundle);
		wanted->fact->type_hash =
			hp_abi_hash_type(host_of(wanted), host);
		wanted->fact->size = hp_type_size(&host);
	}
	hp_comparison_release(&comparison);
}

/* By name only; nothing here can tell its type. */
static void check_foreign(struct wanted *wanted)
{
	bool searched;

	if (hp_libraries_export(host_of(wanted), wanted->import->name,
				&searched))
		hp_remark_add(&wanted->seal->problems, wanted->import->name,
			      "it is imported by name, from a library of the "
			      "host; its type was not compared");
	else
		report_missing(wanted, "is nowhere");
}

static void seal_import(struct wanted *wanted)
{
	bool exported = is_exported(wanted);
	size_t count = find_variable(wanted);

	if (!count && wanted->import->kind == HOTPATCH_IMPORT_ADDRESS)
		count = find_function(wanted);
	if (wanted->is_known)
		check_type(wanted);
	if (exported || (!count && !wanted->is_known && !*wanted->import->file))
		wanted->fact->kind = HOTPATCH_SEALED_EXPORTED;
	if (exported) {
		wanted->fact->offset = 0;
		hp_remark_add(&wanted->seal->problems, wanted->import->name,
			      "it is imported by name, because the host "
			      "exports it");
	} else if (count > 1) {
		report_missing(wanted, "is there several times; name its "
				       "source file");
	} else if (count) {
		hp_remark_add(&wanted->seal->problems, wanted->import->name,
			      "it is imported from offset 0x%llx",
			      (unsigned long long)wanted->fact->offset);
	} else if (!wanted->is_known && *wanted->import->file) {
		report_missing(wanted, "is nowhere");
	} else if (!wanted->is_known) {
		check_foreign(wanted);
	}
}

void hp_seal_check_imports(struct hp_seal *seal, size_t index)
{
	struct hp_facts *facts = &seal->facts[index];
	const struct hp_import *import;
	struct wanted wanted;
	size_t i;

	for (i = 0; i < seal->manifest.import_count; i++) {
		import = &seal->manifest.imports[i];
		if (*import->patch ||
		    !hp_seal_is_for(seal, import->module, index))
			continue;
		memset(&wanted, 0, sizeof(wanted));
		wanted.seal = seal;
		wanted.index = index;
		wanted.import = import;
		wanted.fact = &facts->imports[facts->import_count++];
		wanted.fact->import = (uint32_t)i;
		seal_import(&wanted);
	}
}
