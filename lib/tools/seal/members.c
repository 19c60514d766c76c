/* SPDX-License-Identifier: MIT */
/*
 * Compares the members of a struct and the values of an enum, and says which
 * one grew, shrank, moved, changed its type or its value. What merely moved
 * because another member changed is not told.
 */
#include "abi.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

/* A member of one side. */
struct member {
	Dwarf_Die die;
	const char *name; /* NULL for an unnamed struct or union */
	size_t unnamed;	  /* how many unnamed ones come before it */
	uint64_t bit_offset;
	uint64_t bit_size;
};

static void differs(struct hp_comparison *comparison)
{
	comparison->differs = true;
}

#define report(comparison, reason, object, ...)                                \
	do {                                                                   \
		differs(comparison);                                           \
		if ((comparison)->problems)                                    \
			hp_problem_add((comparison)->problems, reason, object, \
				       __VA_ARGS__);                           \
	} while (0)

static bool is_member(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_member || tag == DW_TAG_inheritance;
}

/* Moves on to the next member from @die on, if there is @more. */
static bool read_member(struct member *member, bool more)
{
	for (; more; more = hp_die_next(&member->die)) {
		if (!is_member(&member->die) ||
		    !hp_member_place(&member->die, &member->bit_offset,
				     &member->bit_size))
			continue;
		member->name = dwarf_diename(&member->die);
		return true;
	}
	return false;
}

static bool first_member(Dwarf_Die *parent, struct member *member)
{
	memset(member, 0, sizeof(*member));
	return read_member(member, hp_die_first(parent, &member->die));
}

static bool next_member(struct member *member)
{
	member->unnamed += !member->name;
	return read_member(member, hp_die_next(&member->die));
}

/* The member of @parent that is the other side's @wanted. */
static bool find_member(Dwarf_Die *parent, const struct member *wanted,
			struct member *member)
{
	bool more;

	for (more = first_member(parent, member); more;
	     more = next_member(member)) {
		if (wanted->name && member->name &&
		    !strcmp(wanted->name, member->name))
			return true;
		if (!wanted->name && !member->name &&
		    wanted->unnamed == member->unnamed)
			return true;
	}
	return false;
}

/* "struct session" becomes "session", as --allow wants it. */
static const char *short_label(const char *label)
{
	const char *blank = strchr(label, ' ');

	if (blank && strncmp(blank, " without", 8) != 0)
		return blank + 1;
	return label;
}

static void name_member(const struct hp_pair *pair, const struct member *member,
			char *object, size_t size)
{
	snprintf(object, size, "%s.%s", short_label(pair->label),
		 member->name ? member->name : "(unnamed)");
}

static uint64_t bits_of(struct member *member)
{
	struct hp_type type = hp_die_type(&member->die);

	return member->bit_size ? member->bit_size : 8 * hp_type_size(&type);
}

static const char *verb(uint64_t before, uint64_t after)
{
	if (before == after)
		return "changed its type";
	return before < after ? "grew" : "shrank";
}

static void report_type(struct hp_comparison *comparison,
			const struct hp_pair *pair, struct member *host,
			struct member *bundle)
{
	struct hp_type one = hp_die_type(&host->die);
	struct hp_type other = hp_die_type(&bundle->die);
	char object[192];
	char before[96];
	char after[96];

	name_member(pair, host, object, sizeof(object));
	hp_type_spell(&one, before, sizeof(before));
	hp_type_spell(&other, after, sizeof(after));
	report(comparison, HP_REASON_LAYOUT, object,
	       "member %s of %s %s: %s%s in the host, %s%s in the bundle",
	       host->name ? host->name : "(unnamed)", pair->label,
	       verb(bits_of(host), bits_of(bundle)), before,
	       host->bit_size ? " as a bit-field" : "", after,
	       bundle->bit_size ? " as a bit-field" : "");
}

/* Gives unnamed structs a name that says where they are. */
static void label_nested(struct hp_comparison *comparison, size_t from,
			 const struct hp_pair *pair,
			 const struct member *member)
{
	struct hp_pair *nested = comparison->pairs.items;
	char object[192];

	for (; from < comparison->pairs.count; from++) {
		if (!strstr(nested[from].label, "without a name"))
			continue;
		name_member(pair, member, object, sizeof(object));
		snprintf(nested[from].label, sizeof(nested[from].label),
			 "%.95s", object);
	}
}

/* True if the member is of one type on both sides. */
static bool compare_member(struct hp_comparison *comparison,
			   const struct hp_pair *pair, struct member *host,
			   struct member *bundle)
{
	size_t from = comparison->pairs.count;
	bool alike = hp_abi_is_alike(comparison, hp_die_type(&host->die),
				     hp_die_type(&bundle->die), 0);

	label_nested(comparison, from, pair, host);
	if (alike && host->bit_size == bundle->bit_size)
		return true;
	report_type(comparison, pair, host, bundle);
	return false;
}

static bool has_equal_size(struct member *host, struct member *bundle)
{
	return bits_of(host) == bits_of(bundle);
}

/* What is gone or of another type; @same is set to false if anything is, or if
 * a member has another size because its own members differ. */
static void compare_known(struct hp_comparison *comparison,
			  const struct hp_pair *pair, bool *same)
{
	struct hp_pair copy = *pair;
	struct member host;
	struct member bundle;
	char object[192];
	bool more;

	for (more = first_member(&copy.host, &host); more;
	     more = next_member(&host)) {
		if (find_member(&copy.bundle, &host, &bundle)) {
			if (!compare_member(comparison, pair, &host, &bundle) ||
			    !has_equal_size(&host, &bundle))
				*same = false;
			continue;
		}
		*same = false;
		name_member(pair, &host, object, sizeof(object));
		report(comparison, HP_REASON_LAYOUT, object,
		       "member %s of %s is gone in the bundle",
		       host.name ? host.name : "(unnamed)", pair->label);
	}
}

static void compare_new(struct hp_comparison *comparison,
			const struct hp_pair *pair, bool *same)
{
	struct hp_pair copy = *pair;
	struct hp_type one = {.die = pair->host};
	struct hp_type other = {.die = pair->bundle};
	struct member host;
	struct member bundle;
	char object[192];
	bool more;

	for (more = first_member(&copy.bundle, &bundle); more;
	     more = next_member(&bundle)) {
		if (find_member(&copy.host, &bundle, &host))
			continue;
		*same = false;
		name_member(pair, &bundle, object, sizeof(object));
		report(comparison, HP_REASON_LAYOUT, object,
		       "member %s of %s is new in the bundle, at offset %llu; "
		       "%s has %llu bytes in the host, %llu in the bundle",
		       bundle.name ? bundle.name : "(unnamed)", pair->label,
		       (unsigned long long)bundle.bit_offset / 8, pair->label,
		       (unsigned long long)hp_type_size(&one),
		       (unsigned long long)hp_type_size(&other));
	}
}

static void compare_places(struct hp_comparison *comparison,
			   const struct hp_pair *pair, bool *same)
{
	struct hp_pair copy = *pair;
	struct member host;
	struct member bundle;
	char object[192];
	bool more;

	for (more = first_member(&copy.host, &host); more;
	     more = next_member(&host)) {
		if (!find_member(&copy.bundle, &host, &bundle) ||
		    host.bit_offset == bundle.bit_offset)
			continue;
		*same = false;
		name_member(pair, &host, object, sizeof(object));
		report(comparison, HP_REASON_LAYOUT, object,
		       "member %s of %s moved from bit %llu to bit %llu "
		       "(bytes %llu and %llu)",
		       host.name ? host.name : "(unnamed)", pair->label,
		       (unsigned long long)host.bit_offset,
		       (unsigned long long)bundle.bit_offset,
		       (unsigned long long)host.bit_offset / 8,
		       (unsigned long long)bundle.bit_offset / 8);
	}
}

static void compare_struct(struct hp_comparison *comparison,
			   const struct hp_pair *pair)
{
	struct hp_type one = {.die = pair->host};
	struct hp_type other = {.die = pair->bundle};
	uint64_t before = hp_type_size(&one);
	uint64_t after = hp_type_size(&other);
	bool same = true;

	compare_known(comparison, pair, &same);
	compare_new(comparison, pair, &same);
	if (same)
		compare_places(comparison, pair, &same);
	if (same && before != after)
		report(comparison, HP_REASON_LAYOUT, short_label(pair->label),
		       "%s %s from %llu to %llu bytes, with the same members",
		       pair->label, verb(before, after),
		       (unsigned long long)before, (unsigned long long)after);
}

static bool find_value(Dwarf_Die *parent, const char *name, int64_t *value)
{
	Dwarf_Attribute attribute;
	const char *found;
	Dwarf_Die die;
	bool more;

	for (more = hp_die_first(parent, &die); more;
	     more = hp_die_next(&die)) {
		found = dwarf_diename(&die);
		if (dwarf_tag(&die) == DW_TAG_enumerator && found &&
		    !strcmp(found, name))
			return dwarf_attr(&die, DW_AT_const_value,
					  &attribute) &&
			       !dwarf_formsdata(&attribute, value);
	}
	return false;
}

static void compare_value(struct hp_comparison *comparison,
			  const struct hp_pair *pair, const char *name,
			  int64_t before)
{
	struct hp_pair copy = *pair;
	char object[192];
	int64_t after;

	snprintf(object, sizeof(object), "%s.%s", short_label(pair->label),
		 name);
	if (find_value(&copy.bundle, name, &after)) {
		if (before != after)
			report(comparison, HP_REASON_ENUM, object,
			       "%s of %s is %lld in the host and %lld in the "
			       "bundle",
			       name, pair->label, (long long)before,
			       (long long)after);
	} else if (comparison->problems) {
		hp_problem_add(comparison->problems, HP_REASON_ENUM_MEMBER,
			       object, "the bundle does not know %s of %s",
			       name, pair->label);
	}
}

/* Calls for each value of the host, and tells those that are new. */
static void compare_enum(struct hp_comparison *comparison,
			 const struct hp_pair *pair)
{
	struct hp_pair copy = *pair;
	const char *name;
	char object[192];
	int64_t value;
	Dwarf_Die die;
	bool more;

	for (more = hp_die_first(&copy.host, &die); more;
	     more = hp_die_next(&die)) {
		name = dwarf_diename(&die);
		if (name && find_value(&copy.host, name, &value))
			compare_value(comparison, pair, name, value);
	}
	for (more = hp_die_first(&copy.bundle, &die); more;
	     more = hp_die_next(&die)) {
		name = dwarf_diename(&die);
		if (!name || !comparison->problems ||
		    find_value(&copy.host, name, &value))
			continue;
		snprintf(object, sizeof(object), "%s.%s",
			 short_label(pair->label), name);
		hp_problem_add(comparison->problems, HP_REASON_ENUM_MEMBER,
			       object, "%s of %s is new in the bundle", name,
			       pair->label);
	}
}

static void compare_enum_size(struct hp_comparison *comparison,
			      const struct hp_pair *pair)
{
	struct hp_type one = {.die = pair->host};
	struct hp_type other = {.die = pair->bundle};

	if (hp_type_size(&one) != hp_type_size(&other))
		report(comparison, HP_REASON_LAYOUT, short_label(pair->label),
		       "%s has %llu bytes in the host and %llu in the bundle",
		       pair->label, (unsigned long long)hp_type_size(&one),
		       (unsigned long long)hp_type_size(&other));
}

void hp_abi_compare_pair(struct hp_comparison *comparison,
			 const struct hp_pair *pair)
{
	Dwarf_Die host = pair->host;

	if (dwarf_tag(&host) != DW_TAG_enumeration_type) {
		compare_struct(comparison, pair);
		return;
	}
	compare_enum_size(comparison, pair);
	compare_enum(comparison, pair);
}
