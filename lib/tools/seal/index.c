/* SPDX-License-Identifier: MIT */
/*
 * One walk over all debugging entries of a binary, which collects what the
 * checks look for by name: functions, where they are called or inlined,
 * variables with a place in memory, and complete types.
 */
#include "binary.h"
#include "die.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_LIMIT 256

/* What surrounds the entries that are being visited. */
struct scope {
	const char *function; /* name, or NULL outside of any */
	Dwarf_Off root;	      /* of that function */
};

struct walker {
	struct hp_binary *binary;
	const char *source; /* of the unit */
	uint64_t left;	    /* entries that the file can have at most */
	bool failed;
};

/* The source of the unit that an entry was written in: link-time optimisation
 * puts its code into another one. */
static const char *source_of(Dwarf_Die *die, const char *source)
{
	const char *name = NULL;
	Dwarf_Die root;
	Dwarf_Die unit;

	hp_die_root_die(die, &root);
	if (dwarf_diecu(&root, &unit, NULL, NULL))
		name = dwarf_diename(&unit);
	return hp_base_name(name ? name : source);
}

static const char *file_of(Dwarf_Die *die, const char *source)
{
	const char *file = dwarf_decl_file(die);

	return hp_base_name(file ? file : source);
}

static bool has_code(Dwarf_Die *die)
{
	Dwarf_Addr address;

	return dwarf_hasattr(die, DW_AT_ranges) || !dwarf_lowpc(die, &address);
}

static void add_function(struct walker *walker, Dwarf_Die *die)
{
	struct hp_function *function;
	const char *name = dwarf_diename(die);

	if (!name || hp_die_flag(die, DW_AT_declaration))
		return;
	function = hp_array_add(&walker->binary->functions, sizeof(*function));
	if (!function) {
		walker->failed = true;
		return;
	}
	function->name = name;
	function->file = file_of(die, walker->source);
	function->die = *die;
	function->root = hp_die_root(die);
	function->has_code = has_code(die);
	function->is_external = hp_die_flag(die, DW_AT_external);
	function->is_in_header =
		strcmp(function->file, source_of(die, walker->source)) != 0;
	if (dwarf_entrypc(die, &function->address))
		function->address = 0;
}

static void add_site(struct walker *walker, Dwarf_Die *die, int attribute,
		     const struct scope *scope, bool inlined)
{
	struct hp_site *site;
	Dwarf_Die target;

	if (!scope->function || !hp_die_reference(die, attribute, &target))
		return;
	site = hp_array_add(&walker->binary->sites, sizeof(*site));
	if (!site) {
		walker->failed = true;
		return;
	}
	site->root = hp_die_root(&target);
	site->caller = scope->function;
	site->caller_root = scope->root;
	site->inlined = inlined;
}

static void add_variable(struct walker *walker, Dwarf_Die *die,
			 const struct scope *scope)
{
	struct hp_variable *variable;
	const char *name = dwarf_diename(die);
	bool is_thread_local;
	uint64_t address;

	if (!name || !hp_die_place(die, &address, &is_thread_local))
		return;
	variable = hp_array_add(&walker->binary->variables, sizeof(*variable));
	if (!variable) {
		walker->failed = true;
		return;
	}
	variable->name = name;
	variable->file = file_of(die, walker->source);
	variable->function = scope->function;
	variable->die = *die;
	variable->address = address;
	variable->is_thread_local = is_thread_local;
	variable->is_external = hp_die_flag(die, DW_AT_external);
}

static void add_definition(struct walker *walker, Dwarf_Die *die)
{
	struct hp_definition *definition;
	const char *name = dwarf_diename(die);

	if (!name || hp_die_flag(die, DW_AT_declaration))
		return;
	definition =
		hp_array_add(&walker->binary->definitions, sizeof(*definition));
	if (!definition) {
		walker->failed = true;
		return;
	}
	definition->name = name;
	definition->tag = dwarf_tag(die);
	definition->die = *die;
}

static void visit(struct walker *walker, Dwarf_Die *die, struct scope *scope)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		add_function(walker, die);
		scope->function = dwarf_diename(die);
		scope->root = hp_die_root(die);
		break;
	case DW_TAG_inlined_subroutine:
		add_site(walker, die, DW_AT_abstract_origin, scope, true);
		break;
	case DW_TAG_call_site:
		add_site(walker, die, DW_AT_call_origin, scope, false);
		break;
	case DW_TAG_GNU_call_site:
		add_site(walker, die, DW_AT_abstract_origin, scope, false);
		break;
	case DW_TAG_variable:
		add_variable(walker, die, scope);
		break;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		add_definition(walker, die);
		break;
	default:
		break;
	}
}

/* What is damaged may lead in circles. */
static bool goes_on(struct walker *walker, unsigned int depth)
{
	if (depth == DEPTH_LIMIT || !walker->left--)
		walker->binary->damaged = true;
	return !walker->failed && !walker->binary->damaged;
}

/* NOLINTBEGIN(misc-no-recursion): entries nest; bounded by
 * DEPTH_LIMIT. */
static void walk(struct walker *walker, Dwarf_Die *parent,
		 const struct scope *outer, unsigned int depth)
{
	struct scope scope;
	Dwarf_Die die;
	bool more;

	for (more = hp_die_first(parent, &die); more && goes_on(walker, depth);
	     more = hp_die_next(&die)) {
		scope = *outer;
		visit(walker, &die, &scope);
		walk(walker, &die, &scope, depth + 1);
	}
}
/* NOLINTEND(misc-no-recursion) */

static int by_function(const void *a, const void *b)
{
	const struct hp_function *one = a;
	const struct hp_function *other = b;

	return strcmp(one->name, other->name);
}

static int by_variable(const void *a, const void *b)
{
	const struct hp_variable *one = a;
	const struct hp_variable *other = b;

	return strcmp(one->name, other->name);
}

static int by_definition(const void *a, const void *b)
{
	const struct hp_definition *one = a;
	const struct hp_definition *other = b;

	return strcmp(one->name, other->name);
}

static int by_root(const void *a, const void *b)
{
	const struct hp_site *one = a;
	const struct hp_site *other = b;

	if (one->root != other->root)
		return one->root < other->root ? -1 : 1;
	return strcmp(one->caller, other->caller);
}

static void sort(struct hp_array *array, size_t size,
		 int (*compare)(const void *a, const void *b))
{
	if (array->count)
		qsort(array->items, array->count, size, compare);
}

/* An entry has a byte at least; sections may be compressed. */
static uint64_t entry_limit(const struct hp_binary *binary)
{
	struct stat file;
	int fd = binary->debug_elf ? binary->debug_fd : binary->fd;

	return fstat(fd, &file) ? 0 : 64 * (uint64_t)file.st_size;
}

bool hp_index_build(struct hp_binary *binary)
{
	struct walker walker = {.binary = binary, .left = entry_limit(binary)};
	struct scope scope = {NULL, 0};
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	int more;

	while (!(more = dwarf_get_units(binary->dwarf, unit, &unit, NULL, NULL,
					&die, NULL))) {
		if (walker.failed || binary->damaged)
			break;
		walker.source = dwarf_diename(&die);
		if (!walker.source)
			walker.source = "";
		walk(&walker, &die, &scope, 0);
	}
	if (more < 0)
		binary->damaged = true;
	sort(&binary->functions, sizeof(struct hp_function), by_function);
	sort(&binary->variables, sizeof(struct hp_variable), by_variable);
	sort(&binary->definitions, sizeof(struct hp_definition), by_definition);
	sort(&binary->sites, sizeof(struct hp_site), by_root);
	return !walker.failed;
}

/* The first of the sorted items that is not before @key. */
static void *find_first(const struct hp_array *array, size_t size,
			const void *key,
			int (*compare)(const void *a, const void *b))
{
	size_t low = 0;
	size_t high = array->count;
	size_t middle;
	char *items = array->items;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(items + middle * size, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < array->count ? items + low * size : NULL;
}

static void *next_item(const struct hp_array *array, size_t size, void *item)
{
	char *next = (char *)item + size;

	return next < (char *)array->items + array->count * size ? next : NULL;
}

struct hp_function *hp_binary_function(const struct hp_binary *binary,
				       const char *name)
{
	struct hp_function key = {.name = name};
	struct hp_function *found =
		find_first(&binary->functions, sizeof(key), &key, by_function);

	return found && !strcmp(found->name, name) ? found : NULL;
}

struct hp_function *hp_function_next(const struct hp_binary *binary,
				     struct hp_function *function)
{
	struct hp_function *next =
		next_item(&binary->functions, sizeof(*next), function);

	return next && !strcmp(next->name, function->name) ? next : NULL;
}

struct hp_variable *hp_binary_variable(const struct hp_binary *binary,
				       const char *name)
{
	struct hp_variable key = {.name = name};
	struct hp_variable *found =
		find_first(&binary->variables, sizeof(key), &key, by_variable);

	return found && !strcmp(found->name, name) ? found : NULL;
}

struct hp_variable *hp_variable_next(const struct hp_binary *binary,
				     struct hp_variable *variable)
{
	struct hp_variable *next =
		next_item(&binary->variables, sizeof(*next), variable);

	return next && !strcmp(next->name, variable->name) ? next : NULL;
}

struct hp_definition *hp_binary_definition(const struct hp_binary *binary,
					   const char *name)
{
	struct hp_definition key = {.name = name};
	struct hp_definition *found = find_first(
		&binary->definitions, sizeof(key), &key, by_definition);

	return found && !strcmp(found->name, name) ? found : NULL;
}

struct hp_definition *hp_definition_next(const struct hp_binary *binary,
					 struct hp_definition *definition)
{
	struct hp_definition *next =
		next_item(&binary->definitions, sizeof(*next), definition);

	return next && !strcmp(next->name, definition->name) ? next : NULL;
}

struct hp_site *hp_binary_site(const struct hp_binary *binary, Dwarf_Off root)
{
	struct hp_site key = {.root = root, .caller = ""};
	struct hp_site *found =
		find_first(&binary->sites, sizeof(key), &key, by_root);

	return found && found->root == root ? found : NULL;
}

struct hp_site *hp_site_next(const struct hp_binary *binary,
			     struct hp_site *site)
{
	struct hp_site *next = next_item(&binary->sites, sizeof(*next), site);

	return next && next->root == site->root ? next : NULL;
}
