/* SPDX-License-Identifier: MIT */
/*
 * Compares two types level by level. Structs and their like are put on a list
 * when they are met and compared one after the other, so that types which
 * refer to each other end, and each is reported once, by its own name.
 */
#include "abi.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 64

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* A class and a struct are laid out alike. */
static int kind_of(int tag)
{
	return tag == DW_TAG_class_type ? DW_TAG_structure_type : tag;
}

static bool is_known(const struct hp_comparison *comparison,
		     const struct hp_type *host, const struct hp_type *bundle)
{
	const struct hp_pair *pair = comparison->pairs.items;
	size_t i;

	for (i = 0; i < comparison->pairs.count; i++)
		if (pair[i].host.addr == host->die.addr &&
		    pair[i].bundle.addr == bundle->die.addr)
			return true;
	return false;
}

static void note_pair(struct hp_comparison *comparison, struct hp_type *host,
		      struct hp_type *bundle)
{
	struct hp_pair *pair;

	if (host->die.addr == bundle->die.addr ||
	    is_known(comparison, host, bundle))
		return;
	pair = hp_array_add(&comparison->pairs, sizeof(*pair));
	if (!pair) {
		comparison->no_memory = true;
		return;
	}
	pair->host = host->die;
	pair->bundle = bundle->die;
	hp_type_spell(host, pair->label, sizeof(pair->label));
}

static void note_opaque(struct hp_comparison *comparison,
			const struct hp_type *type)
{
	char text[96];

	comparison->opaque = true;
	hp_type_spell(type, text, sizeof(text));
	if (comparison->problems)
		hp_problem_add(comparison->problems, HP_REASON_OPAQUE, text,
			       "%s is reached by %s and complete on one side "
			       "only",
			       text, comparison->object);
}

/* NOLINTBEGIN(misc-no-recursion): types nest; bounded by
 * DEPTH_LIMIT, and a trial begins no trials.  */
/* Looks among the complete types of that name for one that is equal to @whole;
 * if there is none, takes the first. */
static bool complete(struct hp_comparison *comparison,
		     const struct hp_binary *binary, struct hp_type *type,
		     const struct hp_type *whole, bool is_host)
{
	const char *name = dwarf_diename(&type->die);
	struct hp_definition *first =
		name ? hp_binary_definition(binary, name) : NULL;
	struct hp_comparison trial;
	struct hp_definition *definition;
	struct hp_type candidate;
	bool differs = true;
	bool taken = false;

	for (definition = first; definition && differs;
	     definition = hp_definition_next(binary, definition)) {
		if (kind_of(definition->tag) !=
		    kind_of(dwarf_tag((Dwarf_Die *)&whole->die)))
			continue;
		candidate = (struct hp_type){.die = definition->die};
		memset(&trial, 0, sizeof(trial));
		trial.host = comparison->host;
		trial.bundle = comparison->bundle;
		trial.object = comparison->object;
		hp_abi_compare_types(&trial, is_host ? candidate : *whole,
				     is_host ? *whole : candidate);
		differs = trial.differs;
		hp_comparison_release(&trial);
		if (!differs || !taken)
			type->die = candidate.die;
		taken = true;
	}
	return hp_type_is_complete(type);
}

/* Both are tagged. Their contents wait for their turn. */
static bool tagged_alike(struct hp_comparison *comparison, struct hp_type *host,
			 struct hp_type *bundle)
{
	bool host_whole = hp_type_is_complete(host);
	bool bundle_whole = hp_type_is_complete(bundle);

	if (kind_of(dwarf_tag(&host->die)) !=
		    kind_of(dwarf_tag(&bundle->die)) ||
	    !same_text(dwarf_diename(&host->die), dwarf_diename(&bundle->die)))
		return false;
	if (!host_whole && !bundle_whole)
		return true;
	/* A trial must not begin trials of its own. */
	if (comparison->problems && !host_whole)
		host_whole = complete(comparison, comparison->host, host,
				      bundle, true);
	else if (comparison->problems && !bundle_whole)
		bundle_whole = complete(comparison, comparison->bundle, bundle,
					host, false);
	if (host_whole && bundle_whole)
		note_pair(comparison, host, bundle);
	else
		note_opaque(comparison, host);
	return true;
}

static bool arrays_alike(struct hp_comparison *comparison, struct hp_type *host,
			 struct hp_type *bundle, int depth)
{
	uint64_t one[8];
	uint64_t other[8];
	size_t count = hp_type_bounds(host, one, 8);

	return hp_type_bounds(bundle, other, 8) == count &&
	       !memcmp(one, other, count * sizeof(*one)) &&
	       hp_abi_is_alike(comparison, hp_die_type(&host->die),
			       hp_die_type(&bundle->die), depth + 1);
}

static bool base_alike(struct hp_type *host, struct hp_type *bundle)
{
	uint64_t one = 0;
	uint64_t other = 0;

	hp_die_number(&host->die, DW_AT_encoding, &one);
	hp_die_number(&bundle->die, DW_AT_encoding, &other);
	return one == other && hp_type_size(host) == hp_type_size(bundle);
}

/* The next parameter among the children, or the three dots. */
static bool find_parameter(Dwarf_Die *die, bool more)
{
	while (more && dwarf_tag(die) != DW_TAG_formal_parameter &&
	       dwarf_tag(die) != DW_TAG_unspecified_parameters)
		more = hp_die_next(die);
	return more;
}

static void report_signature(struct hp_comparison *comparison, const char *what,
			     struct hp_type *host, struct hp_type *bundle)
{
	char one[96];
	char other[96];

	comparison->differs = true;
	if (!comparison->problems)
		return;
	hp_type_spell(host, one, sizeof(one));
	hp_type_spell(bundle, other, sizeof(other));
	hp_problem_add(comparison->problems, comparison->reason,
		       comparison->object,
		       "%s of %s is %s in the host and %s "
		       "in the bundle",
		       what, comparison->object, one, other);
}

/* Functions, or types of functions. With @report each parameter that differs
 * is reported. */
static bool functions_alike(struct hp_comparison *comparison, Dwarf_Die *host,
			    Dwarf_Die *bundle, int depth, bool report)
{
	struct hp_type one = hp_die_type(host);
	struct hp_type other = hp_die_type(bundle);
	Dwarf_Die a;
	Dwarf_Die b;
	bool alike = hp_abi_is_alike(comparison, one, other, depth + 1);
	bool more_a = find_parameter(&a, hp_die_first(host, &a));
	bool more_b = find_parameter(&b, hp_die_first(bundle, &b));
	char what[32];
	int number = 1;

	if (!alike && report)
		report_signature(comparison, "the result", &one, &other);
	for (; more_a && more_b; number++) {
		one = hp_die_type(&a);
		other = hp_die_type(&b);
		if (dwarf_tag(&a) != dwarf_tag(&b) ||
		    !hp_abi_is_alike(comparison, one, other, depth + 1)) {
			alike = false;
			snprintf(what, sizeof(what), "parameter %d", number);
			if (report)
				report_signature(comparison, what, &one,
						 &other);
		}
		more_a = find_parameter(&a, hp_die_next(&a));
		more_b = find_parameter(&b, hp_die_next(&b));
	}
	if (more_a == more_b)
		return alike;
	comparison->differs |= report;
	if (report && comparison->problems)
		hp_problem_add(comparison->problems, comparison->reason,
			       comparison->object,
			       "%s has %s parameters in the bundle",
			       comparison->object, more_a ? "fewer" : "more");
	return false;
}

bool hp_abi_is_alike(struct hp_comparison *comparison, struct hp_type host,
		     struct hp_type bundle, int depth)
{
	int tag;

	if (host.is_void || bundle.is_void)
		return host.is_void == bundle.is_void;
	if (hp_type_is_tagged(&host) && hp_type_is_tagged(&bundle))
		return tagged_alike(comparison, &host, &bundle);
	tag = dwarf_tag(&host.die);
	if (tag != dwarf_tag(&bundle.die))
		return false;
	if (depth == DEPTH_LIMIT) {
		comparison->opaque = true;
		return true;
	}
	switch (tag) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return hp_abi_is_alike(comparison, hp_die_type(&host.die),
				       hp_die_type(&bundle.die), depth + 1);
	case DW_TAG_array_type:
		return arrays_alike(comparison, &host, &bundle, depth);
	case DW_TAG_subroutine_type:
		return functions_alike(comparison, &host.die, &bundle.die,
				       depth, false);
	default:
		return base_alike(&host, &bundle);
	}
}

static void compare_pairs(struct hp_comparison *comparison)
{
	struct hp_pair pair;

	while (comparison->done < comparison->pairs.count &&
	       !comparison->no_memory) {
		/* Copied, because the list may move. */
		pair = ((struct hp_pair *)
				comparison->pairs.items)[comparison->done++];
		hp_abi_compare_pair(comparison, &pair);
		if (comparison->differs && !comparison->problems)
			return;
	}
	if (comparison->no_memory && comparison->problems)
		comparison->problems->no_memory = true;
}

void hp_abi_compare_functions(struct hp_comparison *comparison, Dwarf_Die *host,
			      Dwarf_Die *bundle)
{
	Dwarf_Die one;
	Dwarf_Die other;

	hp_die_root_die(host, &one);
	hp_die_root_die(bundle, &other);
	functions_alike(comparison, &one, &other, 0, true);
	compare_pairs(comparison);
}

void hp_abi_compare_types(struct hp_comparison *comparison, struct hp_type host,
			  struct hp_type bundle)
{
	if (!host.is_void && !bundle.is_void &&
	    dwarf_tag(&host.die) == DW_TAG_subroutine_type &&
	    dwarf_tag(&bundle.die) == DW_TAG_subroutine_type)
		functions_alike(comparison, &host.die, &bundle.die, 0, true);
	else if (!hp_abi_is_alike(comparison, host, bundle, 0))
		report_signature(comparison, "the type", &host, &bundle);
	compare_pairs(comparison);
}
/* NOLINTEND(misc-no-recursion) */

void hp_comparison_release(struct hp_comparison *comparison)
{
	free(comparison->pairs.items);
	comparison->pairs = (struct hp_array){0};
}
