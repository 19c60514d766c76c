/* SPDX-License-Identifier: MIT */
/*
 * Callers that keep registers, and what link-time optimisation leaves in the
 * dark. Each trap has a reason of its own, and names who is in it.
 */
#include "traps.h"

#include "die.h"

#include "../../status.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 4

static int by_function(const void *a, const void *b)
{
	const struct hp_function *one = *(const struct hp_function *const *)a;
	const struct hp_function *other = *(const struct hp_function *const *)b;

	if (one->address != other->address)
		return one->address < other->address ? -1 : 1;
	return strcmp(one->name, other->name);
}

static int by_name(const void *a, const void *b)
{
	const struct hp_trap_symbol *one = a;
	const struct hp_trap_symbol *other = b;

	return strcmp(one->name, other->name);
}

static int by_place(const void *a, const void *b)
{
	const struct hp_trap_symbol *one = a;
	const struct hp_trap_symbol *other = b;

	if (one->address != other->address)
		return one->address < other->address ? -1 : 1;
	return by_name(a, b);
}

static bool visit_symbol(void *context, const char *name,
			 const GElf_Sym *symbol)
{
	struct hp_traps *traps = context;
	struct hp_trap_symbol *item;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_value ||
	    symbol->st_shndx == SHN_UNDEF)
		return true;
	item = hp_array_add(&traps->names, sizeof(*item));
	if (item)
		*item = (struct hp_trap_symbol){name, symbol->st_value};
	else
		traps->machine.no_memory = true;
	return item != NULL;
}

static bool add_functions(struct hp_traps *traps)
{
	const struct hp_function *function = traps->binary->functions.items;
	const struct hp_function **item;
	size_t i;

	for (i = 0; i < traps->binary->functions.count; i++) {
		if (!function[i].has_code || !function[i].address)
			continue;
		item = hp_array_add(&traps->functions, sizeof(*item));
		if (!item)
			return false;
		*item = &function[i];
	}
	return true;
}

static bool copy_symbols(struct hp_traps *traps)
{
	const struct hp_trap_symbol *symbol = traps->names.items;
	struct hp_trap_symbol *copy;
	size_t i;

	for (i = 0; i < traps->names.count; i++) {
		copy = hp_array_add(&traps->places, sizeof(*copy));
		if (!copy)
			return false;
		*copy = symbol[i];
	}
	return true;
}

static void sort(struct hp_array *array, size_t size,
		 int (*compare)(const void *a, const void *b))
{
	if (array->count)
		qsort(array->items, array->count, size, compare);
}

bool hp_traps_open(struct hp_traps *traps, const struct hp_binary *binary)
{
	memset(traps, 0, sizeof(*traps));
	traps->binary = binary;
	traps->is_read = hp_machine_read(&traps->machine, binary);
	if (!traps->is_read && hp_effect_is_known())
		return false;
	hp_binary_symbols(binary, false, visit_symbol, traps);
	if (traps->machine.no_memory || !add_functions(traps) ||
	    !copy_symbols(traps))
		return false;
	sort(&traps->functions, sizeof(struct hp_function *), by_function);
	sort(&traps->names, sizeof(struct hp_trap_symbol), by_name);
	sort(&traps->places, sizeof(struct hp_trap_symbol), by_place);
	return true;
}

void hp_traps_close(struct hp_traps *traps)
{
	hp_machine_release(&traps->machine);
	free(traps->functions.items);
	free(traps->names.items);
	free(traps->places.items);
	memset(traps, 0, sizeof(*traps));
}

/* The sorted items from the first on that is not before @key; NULL if there
 * are none at all. */
static const void *find_first(const struct hp_array *array, size_t size,
			      const void *key,
			      int (*compare)(const void *a, const void *b),
			      size_t *count)
{
	const char *items = array->items;
	size_t low = 0;
	size_t high = array->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(items + middle * size, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*count = array->count - low;
	return items ? items + low * size : NULL;
}

const struct hp_function **hp_traps_at(const struct hp_traps *traps,
				       uint64_t address, size_t *count)
{
	const struct hp_function wanted = {.name = "", .address = address};
	const struct hp_function *key = &wanted;

	return (const struct hp_function **)find_first(
		&traps->functions, sizeof(key), &key, by_function, count);
}

const struct hp_trap_symbol *hp_traps_symbols_at(const struct hp_traps *traps,
						 uint64_t address,
						 size_t *count)
{
	const struct hp_trap_symbol key = {"", address};

	return find_first(&traps->places, sizeof(key), &key, by_place, count);
}

const struct hp_trap_symbol *hp_traps_symbols(const struct hp_traps *traps,
					      const char *name, size_t *count)
{
	const struct hp_trap_symbol key = {name, 0};

	return find_first(&traps->names, sizeof(key), &key, by_name, count);
}

void hp_traps_plain_name(const char *name, char *text, size_t size)
{
	const char *dot = strchr(name, '.');
	const char *ending = strstr(name, "__original");
	size_t length = strlen(name);

	if (dot && dot > name)
		length = (size_t)(dot - name);
	if (ending && (size_t)(ending - name) < length)
		length = (size_t)(ending - name);
	snprintf(text, size, "%.*s", (int)length, name);
}

static bool is_listed(const struct hp_names *names, const char *name)
{
	size_t length = strlen(name);
	const char *at = names->text;

	while ((at = strstr(at, name))) {
		if ((at == names->text || at[-1] == ' ') &&
		    (!at[length] || at[length] == ','))
			return true;
		at += length;
	}
	return !strcmp(names->last, name);
}

void hp_names_add(struct hp_names *names, const char *name)
{
	size_t length = strlen(names->text);

	if (!*name || is_listed(names, name))
		return;
	hp_text_copy(names->last, sizeof(names->last), name);
	if (names->count++ < NAMES_SHOWN)
		snprintf(names->text + length, sizeof(names->text) - length,
			 "%s%s", length ? ", " : "", name);
}

void hp_names_finish(struct hp_names *names)
{
	size_t length = strlen(names->text);

	if (names->count > NAMES_SHOWN)
		snprintf(names->text + length, sizeof(names->text) - length,
			 " and %zu more", names->count - NAMES_SHOWN);
}

/* The callers of one function that keep registers. */
struct keepers {
	const struct hp_traps *traps;
	const struct hp_function *function;
	const struct hp_routine *routine;
	struct hp_problems *problems;
};

static void add_keeper(void *context, const struct hp_keeper *keeper)
{
	const struct keepers *keepers = context;
	const struct hp_traps *traps = keepers->traps;
	const char *name = keepers->function->name;
	char registers[160];
	char caller[128];
	char callee[128];
	bool direct = keeper->callee == keepers->routine;

	hp_traps_plain_name(keeper->caller->name, caller, sizeof(caller));
	hp_traps_plain_name(keeper->callee->name, callee, sizeof(callee));
	if (traps->covers && traps->covers(traps->context, caller))
		return;
	hp_registers_name(keeper->registers, registers, sizeof(registers));
	hp_problem_add(keepers->problems, HP_REASON_IPA_RA, name,
		       "%s %s %s across its call of %s%s%s, because the "
		       "compiler saw that %s does not change them",
		       caller,
		       keeper->certain ? "keeps values in" :
					 "may keep values in",
		       registers, direct ? name : callee,
		       direct ? "" : ", which leads to ", direct ? "" : name,
		       direct ? name : callee);
}

static void check_keepers(const struct hp_traps *traps,
			  const struct hp_function *function,
			  struct hp_problems *problems)
{
	struct keepers keepers = {traps, function, NULL, problems};

	if (traps->is_read)
		keepers.routine =
			hp_machine_routine(&traps->machine, function->address);
	if (keepers.routine)
		hp_machine_keepers(&traps->machine, keepers.routine, add_keeper,
				   &keepers);
	else
		hp_problem_add(problems, HP_REASON_UNKNOWN, function->name,
			       "whether callers rely on the registers that %s "
			       "leaves alone could not be looked at",
			       function->name);
}

static bool is_linked_whole(const struct hp_function *function)
{
	const char *producer = NULL;
	Dwarf_Attribute value;
	Dwarf_Die die = function->die;
	Dwarf_Die root;
	Dwarf_Die unit;

	hp_die_root_die(&die, &root);
	if (dwarf_diecu(&root, &unit, NULL, NULL) &&
	    dwarf_attr(&unit, DW_AT_producer, &value))
		producer = dwarf_formstring(&value);
	return producer && strstr(producer, " -flto") &&
	       !strstr(producer, " -fno-lto");
}

static void check_link(const struct hp_function *function,
		       struct hp_problems *problems)
{
	if (is_linked_whole(function))
		hp_problem_add(problems, HP_REASON_LTO, function->name,
			       "%s was optimised together with other files "
			       "when it was linked; what of it went into them "
			       "without leaving a name cannot be known",
			       function->name);
}

void hp_traps_check(const struct hp_traps *traps,
		    const struct hp_function *function,
		    struct hp_problems *problems)
{
	if (!function->has_code || !function->address) {
		hp_traps_check_absent(traps, function, problems);
		return;
	}
	hp_traps_check_copies(traps, function, problems);
	hp_traps_check_folds(traps, function, problems);
	check_keepers(traps, function, problems);
	check_link(function, problems);
}
