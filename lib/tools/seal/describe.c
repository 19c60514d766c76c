/* SPDX-License-Identifier: MIT */
/*
 * What the debugging information tells of routines: the registers of their
 * arguments and results, and whether the compiler was told not to rely on
 * what others leave alone.
 */
#include "die.h"
#include "machine.h"

#include <dwarf.h>
#include <string.h>

#define DEPTH_LIMIT 64
#define MEMORY_SIZE 16 /* larger ones are passed in memory */

/* How many registers values take. */
struct places {
	unsigned int integers;
	unsigned int floats;
};

static bool is_float(struct hp_type *type)
{
	uint64_t encoding;

	return !type->is_void && dwarf_tag(&type->die) == DW_TAG_base_type &&
	       hp_die_number(&type->die, DW_AT_encoding, &encoding) &&
	       (encoding == DW_ATE_float || encoding == DW_ATE_complex_float);
}

/* At most: what is small and has members may be in either kind. */
static void add_places(struct hp_type *type, struct places *places)
{
	uint64_t size;

	if (type->is_void)
		return;
	size = hp_type_size(type);
	if (is_float(type)) {
		places->floats += size > 8 ? 2 : 1;
	} else if (dwarf_tag(&type->die) == DW_TAG_enumeration_type ||
		   !hp_type_is_tagged(type)) {
		places->integers += size > 8 ? 2 : 1;
	} else if (size <= MEMORY_SIZE) {
		places->integers += 2;
		places->floats += 2;
	} else {
		places->integers += 1; /* where a result is to be put */
	}
}

/* Of a function whose types are known; @varied for those that it takes
 * besides. */
static uint64_t given_to(Dwarf_Die *function, uint64_t *varied)
{
	struct places places = {0, 0};
	struct hp_type type = hp_die_type(function);
	Dwarf_Die root;
	Dwarf_Die die;
	bool more;

	if (hp_type_is_tagged(&type) && hp_type_size(&type) > MEMORY_SIZE)
		places.integers++;
	*varied = 0;
	hp_die_root_die(function, &root);
	for (more = hp_die_first(&root, &die); more; more = hp_die_next(&die)) {
		if (dwarf_tag(&die) == DW_TAG_unspecified_parameters)
			*varied = hp_registers_of_unknown_call();
		if (dwarf_tag(&die) != DW_TAG_formal_parameter)
			continue;
		type = hp_die_type(&die);
		add_places(&type, &places);
	}
	return hp_registers_of_arguments(places.integers, places.floats);
}

static uint64_t result_of(Dwarf_Die *function)
{
	struct hp_type type = hp_die_type(function);
	struct places places = {0, 0};

	add_places(&type, &places);
	return hp_registers_of_result(places.integers, places.floats,
				      hp_type_size(&type));
}

static bool has_flag(const char *producer, const char *flag)
{
	size_t length = strlen(flag);
	const char *at = producer;

	while ((at = strstr(at, flag))) {
		if (at > producer && at[-1] == ' ' &&
		    (at[length] == ' ' || !at[length]))
			return true;
		at += length;
	}
	return false;
}

/* -O2 and above, -Os and -Oz switch it on; of several the last counts. */
static bool is_optimised(const char *producer)
{
	const char *at = producer;
	bool optimised = false;

	while ((at = strstr(at, " -O"))) {
		at += 3;
		optimised = (*at >= '2' && *at <= '9') || *at == 's' ||
			    *at == 'z' || *at == 'f';
	}
	return optimised;
}

/* Only gcc relies on it; what is written by hand may do anything. */
static bool is_strict(Dwarf_Die *function)
{
	const char *producer = NULL;
	Dwarf_Attribute value;
	Dwarf_Die root;
	Dwarf_Die unit;

	hp_die_root_die(function, &root);
	if (dwarf_diecu(&root, &unit, NULL, NULL) &&
	    dwarf_attr(&unit, DW_AT_producer, &value))
		producer = dwarf_formstring(&value);
	if (!producer || strstr(producer, "GNU AS"))
		return false;
	if (!strncmp(producer, "GNU ", 4))
		return has_flag(producer, "-fno-ipa-ra") ||
		       has_flag(producer, "-p") || has_flag(producer, "-pg") ||
		       (!is_optimised(producer) &&
			!has_flag(producer, "-fipa-ra"));
	return strstr(producer, "clang") != NULL;
}

/* A call of something outside, whose declaration may tell what it takes. */
static void describe_call(struct hp_machine *machine, Dwarf_Die *die,
			  int return_attribute, int origin_attribute)
{
	struct hp_machine_step *step;
	Dwarf_Attribute value;
	Dwarf_Addr address;
	Dwarf_Die origin;
	uint64_t varied;

	if (!dwarf_attr(die, (unsigned int)return_attribute, &value) ||
	    dwarf_formaddr(&value, &address) ||
	    !hp_die_reference(die, (unsigned int)origin_attribute, &origin) ||
	    !hp_die_flag(&origin, DW_AT_prototyped))
		return;
	step = hp_machine_call(machine, address);
	if (!step)
		return;
	step->given = given_to(&origin, &varied);
	step->given |= varied;
	step->results = result_of(&origin);
}

/* NOLINTBEGIN(misc-no-recursion): entries nest; bounded by
 * DEPTH_LIMIT. */
static void describe_calls(struct hp_machine *machine, Dwarf_Die *parent,
			   unsigned int depth)
{
	Dwarf_Die die;
	bool more;

	if (depth == DEPTH_LIMIT)
		return;
	for (more = hp_die_first(parent, &die); more;
	     more = hp_die_next(&die)) {
		if (dwarf_tag(&die) == DW_TAG_call_site)
			describe_call(machine, &die, DW_AT_call_return_pc,
				      DW_AT_call_origin);
		else if (dwarf_tag(&die) == DW_TAG_GNU_call_site)
			describe_call(machine, &die, DW_AT_low_pc,
				      DW_AT_abstract_origin);
		describe_calls(machine, &die, depth + 1);
	}
}
/* NOLINTEND(misc-no-recursion) */

static bool was_changed(const char *name)
{
	return strstr(name, ".isra.") || strstr(name, ".constprop.") ||
	       strstr(name, ".part.");
}

static void describe(struct hp_machine *machine,
		     const struct hp_function *function)
{
	struct hp_routine *routine = (struct hp_routine *)hp_machine_routine(
		machine, function->address);
	Dwarf_Die die = function->die;

	describe_calls(machine, &die, 0);
	if (!routine)
		return;
	routine->strict = is_strict(&die);
	if (hp_die_flag(&die, DW_AT_noreturn))
		routine->returns = false;
	if (was_changed(routine->name))
		return; /* also its arguments and its result, perhaps */
	routine->given = given_to(&die, &routine->varied);
	routine->results = result_of(&die);
	routine->perhaps = 0;
}

/* A part is what the routine is that leads into it. */
static void describe_parts(struct hp_machine *machine)
{
	const struct hp_edge *edge = machine->edges.items;
	struct hp_routine *routines = machine->routines.items;
	struct hp_routine *part;
	size_t i;

	for (i = 0; i < machine->edges.count; i++, edge++) {
		part = &routines[edge->to];
		if (!part->is_part || routines[edge->from].is_part)
			continue;
		part->strict = routines[edge->from].strict;
		part->results = routines[edge->from].results;
		part->perhaps = routines[edge->from].perhaps;
	}
}

void hp_machine_describe(struct hp_machine *machine)
{
	const struct hp_function *function = machine->binary->functions.items;
	size_t i;

	for (i = 0; i < machine->binary->functions.count; i++)
		if (function[i].has_code)
			describe(machine, &function[i]);
	describe_parts(machine);
}
