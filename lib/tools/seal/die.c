/* SPDX-License-Identifier: MIT */
/*
 * DWARF 4 and 5 as gcc and clang write them for C, and what C++ adds to the
 * layout of data.
 */
#include "die.h"

#include <dwarf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HOPS 64 /* of references that follow one another */

bool hp_die_flag(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute value;
	bool flag;

	return dwarf_attr_integrate(die, attribute, &value) &&
	       !dwarf_formflag(&value, &flag) && flag;
}

bool hp_die_number(Dwarf_Die *die, unsigned int attribute, uint64_t *number)
{
	Dwarf_Attribute value;

	return dwarf_attr_integrate(die, attribute, &value) &&
	       !dwarf_formudata(&value, number);
}

bool hp_die_reference(Dwarf_Die *die, unsigned int attribute, Dwarf_Die *target)
{
	Dwarf_Attribute value;

	return dwarf_attr(die, attribute, &value) &&
	       dwarf_formref_die(&value, target);
}

bool hp_die_first(Dwarf_Die *parent, Dwarf_Die *die)
{
	return dwarf_child(parent, die) == 0 &&
	       (const char *)die->addr > (const char *)parent->addr;
}

bool hp_die_next(Dwarf_Die *die)
{
	const void *before = die->addr;

	return dwarf_siblingof(die, die) == 0 &&
	       (const char *)die->addr > (const char *)before;
}

void hp_die_root_die(Dwarf_Die *die, Dwarf_Die *root)
{
	Dwarf_Die next;
	int hops;

	*root = *die;
	for (hops = 0; hops < HOPS; hops++) {
		if (!hp_die_reference(root, DW_AT_abstract_origin, &next) &&
		    !hp_die_reference(root, DW_AT_specification, &next))
			return;
		*root = next;
	}
}

Dwarf_Off hp_die_root(Dwarf_Die *die)
{
	Dwarf_Die root;

	hp_die_root_die(die, &root);
	return dwarf_dieoffset(&root);
}

static bool is_transparent(int tag)
{
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type ||
	       tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
	       tag == DW_TAG_atomic_type;
}

struct hp_type hp_type_peel(Dwarf_Die *die)
{
	struct hp_type type = {.die = *die};
	Dwarf_Attribute value;
	Dwarf_Die next;
	int hops;

	for (hops = 0; hops < HOPS && is_transparent(dwarf_tag(&type.die));
	     hops++) {
		if (dwarf_tag(&type.die) == DW_TAG_typedef)
			type.alias = dwarf_diename(&type.die);
		if (!dwarf_attr_integrate(&type.die, DW_AT_type, &value) ||
		    !dwarf_formref_die(&value, &next)) {
			type.is_void = true;
			return type;
		}
		type.die = next;
	}
	return type;
}

struct hp_type hp_die_type(Dwarf_Die *die)
{
	struct hp_type none = {.is_void = true};
	Dwarf_Attribute value;
	Dwarf_Die type;

	if (!dwarf_attr_integrate(die, DW_AT_type, &value) ||
	    !dwarf_formref_die(&value, &type))
		return none;
	return hp_type_peel(&type);
}

bool hp_type_is_tagged(const struct hp_type *type)
{
	int tag;

	if (type->is_void)
		return false;
	tag = dwarf_tag((Dwarf_Die *)&type->die);
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type;
}

bool hp_type_is_complete(struct hp_type *type)
{
	return !type->is_void && !hp_die_flag(&type->die, DW_AT_declaration);
}

static uint64_t bound_of(Dwarf_Die *range)
{
	uint64_t number;

	if (hp_die_number(range, DW_AT_count, &number))
		return number;
	/* -1 is how some spell a bound of zero. */
	if (hp_die_number(range, DW_AT_upper_bound, &number))
		return number + 1;
	return 0;
}

size_t hp_type_bounds(struct hp_type *type, uint64_t *bounds, size_t size)
{
	Dwarf_Die range;
	size_t count = 0;
	bool more;

	for (more = hp_die_first(&type->die, &range); more && count < size;
	     more = hp_die_next(&range))
		if (dwarf_tag(&range) == DW_TAG_subrange_type)
			bounds[count++] = bound_of(&range);
	return count;
}

/* NOLINTBEGIN(misc-no-recursion): arrays of arrays; bounded
 * by their depth. */
static uint64_t array_size(struct hp_type *type, int depth)
{
	struct hp_type element = hp_die_type(&type->die);
	uint64_t bounds[8];
	size_t count = hp_type_bounds(type, bounds, 8);
	uint64_t size = 1;
	size_t i;

	if (depth > 8)
		return 0;
	if (!element.is_void && dwarf_tag(&element.die) == DW_TAG_array_type)
		size = array_size(&element, depth + 1);
	else
		size = hp_type_size(&element);
	for (i = 0; i < count; i++)
		if (__builtin_mul_overflow(size, bounds[i], &size))
			return 0;
	return size;
}

uint64_t hp_type_size(struct hp_type *type)
{
	uint64_t size;

	if (type->is_void)
		return 0;
	if (hp_die_number(&type->die, DW_AT_byte_size, &size))
		return size;
	if (dwarf_tag(&type->die) == DW_TAG_array_type)
		return array_size(type, 0);
	if (dwarf_tag(&type->die) == DW_TAG_pointer_type)
		return sizeof(void *);
	return 0;
}
/* NOLINTEND(misc-no-recursion) */

static const char *tag_word(int tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
		return "struct ";
	case DW_TAG_class_type:
		return "class ";
	case DW_TAG_union_type:
		return "union ";
	case DW_TAG_enumeration_type:
		return "enum ";
	default:
		return "";
	}
}

__attribute__((format(printf, 3, 4))) static void
append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

/* @text may be empty, too: a name may be. */
static bool ends_in_star(const char *text)
{
	size_t length = strlen(text);

	return length && text[length - 1] == '*';
}

/* NOLINTBEGIN(misc-no-recursion): types nest; bounded by their
 * depth. */
static void spell(const struct hp_type *type, char *text, size_t size,
		  int depth)
{
	Dwarf_Die die = type->die;
	const char *name;
	struct hp_type inner;
	uint64_t bounds[8];
	size_t count;
	size_t i;

	if (type->is_void || depth > 8) {
		append(text, size, type->is_void ? "void" : "...");
		return;
	}
	inner = hp_die_type(&die);
	name = dwarf_diename(&die);
	switch (dwarf_tag(&die)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		spell(&inner, text, size, depth + 1);
		append(text, size, "%s", ends_in_star(text) ? "*" : " *");
		break;
	case DW_TAG_array_type:
		spell(&inner, text, size, depth + 1);
		count = hp_type_bounds((struct hp_type *)type, bounds, 8);
		append(text, size, " ");
		for (i = 0; i < count; i++)
			append(text, size, "[%llu]",
			       (unsigned long long)bounds[i]);
		break;
	case DW_TAG_subroutine_type:
	case DW_TAG_subprogram:
		spell(&inner, text, size, depth + 1);
		append(text, size, " (...)");
		break;
	default:
		if (!name && type->alias)
			append(text, size, "%s", type->alias);
		else
			append(text, size, "%s%s", tag_word(dwarf_tag(&die)),
			       name ? name : "without a name");
	}
}
/* NOLINTEND(misc-no-recursion) */

void hp_type_spell(const struct hp_type *type, char *text, size_t size)
{
	text[0] = '\0';
	spell(type, text, size, 0);
}

/* DWARF 3's way counts from the other end of the unit that holds the field. */
static uint64_t old_bit_offset(Dwarf_Die *die, uint64_t offset, uint64_t size)
{
	struct hp_type type = hp_die_type(die);
	uint64_t unit;

	if (!hp_die_number(die, DW_AT_byte_size, &unit))
		unit = hp_type_size(&type);
	return unit * 8 - offset - size;
}

bool hp_member_place(Dwarf_Die *die, uint64_t *bit_offset, uint64_t *bit_size)
{
	uint64_t number;

	/* A static member of a class takes no place. */
	if (hp_die_flag(die, DW_AT_external) ||
	    hp_die_flag(die, DW_AT_declaration))
		return false;
	*bit_offset = 0;
	*bit_size = 0;
	hp_die_number(die, DW_AT_bit_size, bit_size);
	if (hp_die_number(die, DW_AT_data_bit_offset, bit_offset))
		return true;
	if (hp_die_number(die, DW_AT_data_member_location, &number))
		*bit_offset = number * 8;
	if (*bit_size && hp_die_number(die, DW_AT_bit_offset, &number))
		*bit_offset += old_bit_offset(die, number, *bit_size);
	return true;
}

static bool is_tls_operator(int atom)
{
	return atom == DW_OP_form_tls_address ||
	       atom == DW_OP_GNU_push_tls_address;
}

bool hp_die_place(Dwarf_Die *die, uint64_t *address, bool *is_thread_local)
{
	Dwarf_Attribute value;
	Dwarf_Attribute pointed;
	Dwarf_Op *operators;
	size_t count;

	if (!dwarf_attr(die, DW_AT_location, &value) ||
	    dwarf_getlocation(&value, &operators, &count) || !count)
		return false;
	*address = operators[0].number;
	*is_thread_local = count == 2 && is_tls_operator(operators[1].atom);
	switch (operators[0].atom) {
	case DW_OP_addr:
		return true;
	case DW_OP_addrx:
	case DW_OP_GNU_addr_index:
		return !dwarf_getlocation_attr(&value, operators, &pointed) &&
		       !dwarf_formaddr(&pointed, address);
	case DW_OP_const4u:
	case DW_OP_const8u:
	case DW_OP_constu:
		return *is_thread_local;
	case DW_OP_constx:
	case DW_OP_GNU_const_index:
		return *is_thread_local &&
		       !dwarf_getlocation_attr(&value, operators, &pointed) &&
		       !dwarf_formudata(&pointed, address);
	default:
		return false;
	}
}
