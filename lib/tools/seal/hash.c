/* SPDX-License-Identifier: MIT */
/*
 * One number for everything that a function or variable reaches. The types are
 * written down in the order in which they are met, each struct once and from
 * then on by its number, and what was written is hashed. Names of parameters
 * and spellings of basic types do not count; sizes, offsets, and names of
 * members and of structs do.
 */
#include "abi.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 64
#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

struct writer {
	const struct hp_binary *binary;
	struct hp_array types; /* Dwarf_Die, in the order of their numbers */
	size_t done;
	uint64_t hash;
	bool no_memory;
};

static void write_bytes(struct writer *writer, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	for (; size; size--, at++)
		writer->hash = (writer->hash ^ *at) * FNV_PRIME;
}

static void write_number(struct writer *writer, uint64_t number)
{
	write_bytes(writer, &number, sizeof(number));
}

static void write_text(struct writer *writer, const char *text)
{
	text = text ? text : "";
	write_bytes(writer, text, strlen(text) + 1);
}

static int kind_of(int tag)
{
	return tag == DW_TAG_class_type ? DW_TAG_structure_type : tag;
}

static bool is_same(Dwarf_Die *a, Dwarf_Die *b)
{
	const char *one = dwarf_diename(a);
	const char *other = dwarf_diename(b);

	if (a->addr == b->addr)
		return true;
	return one && other && !strcmp(one, other) &&
	       kind_of(dwarf_tag(a)) == kind_of(dwarf_tag(b));
}

/* The number of a type, new if it was not met before. The same name in another
 * unit is taken for the same type. */
static uint64_t number_of(struct writer *writer, Dwarf_Die *die)
{
	Dwarf_Die *types = writer->types.items;
	Dwarf_Die *place;
	size_t i;

	for (i = 0; i < writer->types.count; i++)
		if (is_same(&types[i], die))
			return i;
	place = hp_array_add(&writer->types, sizeof(*place));
	if (place)
		*place = *die;
	else
		writer->no_memory = true;
	return i;
}

/* NOLINTBEGIN(misc-no-recursion): types nest; bounded by
 * DEPTH_LIMIT. */
static void write_type(struct writer *writer, struct hp_type type, int depth);

static void write_tagged(struct writer *writer, struct hp_type *type)
{
	const char *name = dwarf_diename(&type->die);
	struct hp_definition *definition;

	if (!hp_type_is_complete(type) && name) {
		definition = hp_binary_definition(writer->binary, name);
		while (definition && kind_of(definition->tag) !=
					     kind_of(dwarf_tag(&type->die)))
			definition =
				hp_definition_next(writer->binary, definition);
		if (definition)
			type->die = definition->die;
	}
	write_number(writer, (uint64_t)kind_of(dwarf_tag(&type->die)));
	write_text(writer, name);
	write_number(writer, number_of(writer, &type->die));
}

/* Of a function, or a type of functions. */
static void write_function(struct writer *writer, Dwarf_Die *function,
			   int depth)
{
	Dwarf_Die die;
	bool more;

	write_type(writer, hp_die_type(function), depth + 1);
	for (more = hp_die_first(function, &die); more;
	     more = hp_die_next(&die)) {
		if (dwarf_tag(&die) == DW_TAG_unspecified_parameters)
			write_number(writer, DW_TAG_unspecified_parameters);
		else if (dwarf_tag(&die) == DW_TAG_formal_parameter)
			write_type(writer, hp_die_type(&die), depth + 1);
	}
	write_number(writer, DW_TAG_subprogram);
}

static void write_array(struct writer *writer, struct hp_type *type, int depth)
{
	uint64_t bounds[8];
	size_t count = hp_type_bounds(type, bounds, 8);

	write_number(writer, count);
	write_bytes(writer, bounds, count * sizeof(*bounds));
	write_type(writer, hp_die_type(&type->die), depth + 1);
}

static void write_type(struct writer *writer, struct hp_type type, int depth)
{
	uint64_t encoding = 0;
	int tag;

	if (type.is_void || depth == DEPTH_LIMIT) {
		write_number(writer, 0);
		return;
	}
	if (hp_type_is_tagged(&type)) {
		write_tagged(writer, &type);
		return;
	}
	tag = dwarf_tag(&type.die);
	write_number(writer, (uint64_t)tag);
	switch (tag) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		write_type(writer, hp_die_type(&type.die), depth + 1);
		break;
	case DW_TAG_array_type:
		write_array(writer, &type, depth);
		break;
	case DW_TAG_subroutine_type:
		write_function(writer, &type.die, depth);
		break;
	default:
		hp_die_number(&type.die, DW_AT_encoding, &encoding);
		write_number(writer, encoding);
		write_number(writer, hp_type_size(&type));
	}
}
/* NOLINTEND(misc-no-recursion) */

static void write_member(struct writer *writer, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	uint64_t bit_offset;
	uint64_t bit_size;
	int64_t value;

	switch (dwarf_tag(die)) {
	case DW_TAG_member:
	case DW_TAG_inheritance:
		if (!hp_member_place(die, &bit_offset, &bit_size))
			return;
		write_text(writer, dwarf_diename(die));
		write_number(writer, bit_offset);
		write_number(writer, bit_size);
		write_type(writer, hp_die_type(die), 0);
		return;
	case DW_TAG_enumerator:
		if (!dwarf_attr(die, DW_AT_const_value, &attribute) ||
		    dwarf_formsdata(&attribute, &value))
			return;
		write_text(writer, dwarf_diename(die));
		write_number(writer, (uint64_t)value);
		return;
	default:
		return;
	}
}

/* Types met on the way join the end of the list. */
static uint64_t finish(struct writer *writer)
{
	struct hp_type type = {.is_void = false};
	Dwarf_Die member;
	uint64_t hash;
	bool more;

	while (writer->done < writer->types.count && !writer->no_memory) {
		type.die = ((Dwarf_Die *)writer->types.items)[writer->done++];
		write_number(writer, hp_type_size(&type));
		for (more = hp_die_first(&type.die, &member); more;
		     more = hp_die_next(&member))
			write_member(writer, &member);
	}
	free(writer->types.items);
	hash = writer->hash ? writer->hash : 1;
	return writer->no_memory ? 0 : hash;
}

uint64_t hp_abi_hash_function(const struct hp_binary *binary,
			      Dwarf_Die *function)
{
	struct writer writer = {.binary = binary, .hash = FNV_START};
	Dwarf_Die root;

	hp_die_root_die(function, &root);
	write_function(&writer, &root, 0);
	return finish(&writer);
}

uint64_t hp_abi_hash_type(const struct hp_binary *binary, struct hp_type type)
{
	struct writer writer = {.binary = binary, .hash = FNV_START};

	write_type(&writer, type, 0);
	return finish(&writer);
}
