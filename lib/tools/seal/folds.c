/* SPDX-License-Identifier: MIT */
/*
 * One function in several places, and several functions in one place: copies
 * and clones, aliases that are functions of their own in the source (gcc's
 * -fipa-icf, --icf of gold and lld), and functions that became a jump to
 * their twin.
 */
#include "traps.h"

#include "die.h"

#include "../../status.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#define ANOTHER "another of that name"

static bool is_covered(const struct hp_traps *traps, const char *name)
{
	return traps->covers && traps->covers(traps->context, name);
}

/* Where the body was inlined, and is not replaced along with it. */
static void check_inlined(const struct hp_traps *traps,
			  const struct hp_function *function,
			  struct hp_problems *problems)
{
	struct hp_site *site = hp_binary_site(traps->binary, function->root);
	struct hp_names names = {.count = 0};
	char caller[128];

	for (; site; site = hp_site_next(traps->binary, site)) {
		if (!site->inlined || site->caller_root == function->root)
			continue;
		hp_traps_plain_name(site->caller, caller, sizeof(caller));
		if (!is_covered(traps, caller))
			hp_names_add(&names, caller);
	}
	hp_names_finish(&names);
	if (names.count)
		hp_problem_add(problems, HP_REASON_COPY, function->name,
			       "%s %s a copy of the body of %s", names.text,
			       names.count > 1 ? "have" : "has",
			       function->name);
}

struct search {
	const struct hp_traps *traps;
	const struct hp_function *function;
	struct hp_problems *problems;
	struct hp_names names;
	size_t namesakes;
};

static bool is_clone(const char *name, const char *of)
{
	size_t length = strlen(of);

	return !strncmp(name, of, length) && name[length] == '.' &&
	       !strstr(name, ".cold") &&
	       (strstr(name + length, ".constprop.") ||
		strstr(name + length, ".isra.") ||
		strstr(name + length, ".part."));
}

/* Those that lead to the clone, but for the function itself and the others of
 * its kind. */
static void find_users(const struct hp_traps *traps,
		       const struct hp_function *function, uint64_t address,
		       struct hp_names *users)
{
	const struct hp_machine *machine = &traps->machine;
	const struct hp_routine *routines = machine->routines.items;
	const struct hp_routine *clone = hp_machine_routine(machine, address);
	const struct hp_edge *edge;
	char name[128];
	size_t count = 0;

	if (!clone)
		return;
	for (edge = hp_machine_into(machine, clone, &count); count;
	     count--, edge++) {
		hp_traps_plain_name(routines[edge->from].name, name,
				    sizeof(name));
		if (strcmp(name, function->name) != 0 &&
		    !is_covered(traps, name))
			hp_names_add(users, name);
	}
	hp_names_finish(users);
}

static void check_clone(const struct hp_traps *traps,
			const struct hp_function *function,
			const struct hp_trap_symbol *symbol,
			struct hp_problems *problems)
{
	struct hp_names users = {.count = 0};

	find_users(traps, function, symbol->address, &users);
	if (symbol->address == function->address)
		/* Replacing all callers helps; putting new code there does
		 * not. */
		hp_problem_add(problems, HP_REASON_IMMUTABLE, function->name,
			       "of %s there is only %s, whose parameters the "
			       "compiler may have changed%s%s",
			       function->name, symbol->name,
			       users.count ? "; it is called by " : "",
			       users.text);
	else if (users.count || !traps->is_read)
		hp_problem_add(problems, HP_REASON_COPY, function->name,
			       "the compiler made %s of %s%s%s", symbol->name,
			       function->name,
			       users.count ? ", which is called by " : "",
			       users.text);
}

void hp_traps_check_copies(const struct hp_traps *traps,
			   const struct hp_function *function,
			   struct hp_problems *problems)
{
	size_t length = strlen(function->name);
	const struct hp_trap_symbol *symbol;
	size_t count;

	check_inlined(traps, function, problems);
	for (symbol = hp_traps_symbols(traps, function->name, &count);
	     count && !strncmp(symbol->name, function->name, length);
	     count--, symbol++)
		if (is_clone(symbol->name, function->name))
			check_clone(traps, function, symbol, problems);
}

/* Is there a function of that name in the source that is another one? */
static bool is_other(const struct hp_traps *traps,
		     const struct hp_function *function, const char *name)
{
	struct hp_function *other = hp_binary_function(traps->binary, name);

	for (; other; other = hp_function_next(traps->binary, other))
		if (other->root != function->root)
			return true;
	return false;
}

/* Local functions of one name can be two functions as well. */
static void find_symbols(const struct hp_traps *traps,
			 const struct hp_function *function,
			 struct hp_names *names)
{
	const struct hp_trap_symbol *symbol;
	size_t namesakes = 0;
	char plain[128];
	size_t count;

	for (symbol = hp_traps_symbols_at(traps, function->address, &count);
	     count && symbol->address == function->address; count--, symbol++) {
		hp_traps_plain_name(symbol->name, plain, sizeof(plain));
		if (!strcmp(symbol->name, function->name))
			namesakes++;
		else if (is_other(traps, function, plain))
			hp_names_add(names, plain);
	}
	if (namesakes > 1)
		hp_names_add(names, ANOTHER);
}

/* The routine that @routine is nothing but a jump to. */
static const struct hp_routine *jumps_to(const struct hp_machine *machine,
					 const struct hp_routine *routine)
{
	const struct hp_machine_step *steps = machine->steps.items;
	const struct hp_routine *routines = machine->routines.items;
	const struct hp_machine_step *step;
	size_t i;

	for (i = 0; i < routine->count; i++) {
		step = &steps[routine->first + i];
		if (step->effect.step == HP_STEP_JUMP)
			return step->goal != SIZE_MAX &&
					       step->goal != step->routine &&
					       routines[step->goal].start ==
						       step->effect.target ?
				       &routines[step->goal] :
				       NULL;
		if (step->effect.step != HP_STEP_ON || step->effect.touches ||
		    step->effect.reads)
			return NULL;
	}
	return NULL;
}

/* Does the source say that the function at @address calls another? Then the
 * jump is its own. */
static bool calls_itself(Dwarf_Die *die)
{
	Dwarf_Die child;
	bool more;

	for (more = hp_die_first(die, &child); more; more = hp_die_next(&child))
		if (dwarf_tag(&child) == DW_TAG_call_site ||
		    dwarf_tag(&child) == DW_TAG_GNU_call_site ||
		    dwarf_tag(&child) == DW_TAG_inlined_subroutine ||
		    dwarf_tag(&child) == DW_TAG_lexical_block)
			return true;
	return false;
}

static bool became_jump(const struct hp_traps *traps,
			const struct hp_function *function, uint64_t to)
{
	const struct hp_routine *routine =
		hp_machine_routine(&traps->machine, function->address);
	const struct hp_routine *goal;
	Dwarf_Die die = function->die;

	goal = routine ? jumps_to(&traps->machine, routine) : NULL;
	return goal && (!to || goal->start == to) && !calls_itself(&die);
}

/* The name of the function, which became a jump, that begins with @routine;
 * "" if it did not. What is such a jump has no body in the debugging
 * information, or one that calls nothing. */
static const char *jumping_name(const struct hp_traps *traps,
				const struct hp_function *function,
				const struct hp_routine *routine)
{
	const struct hp_function **other;
	const struct hp_routine *goal;
	size_t left;

	other = hp_traps_at(traps, routine->start, &left);
	if (left && (*other)->address == routine->start)
		return became_jump(traps, *other, function->address) ?
			       (*other)->name :
			       "";
	goal = jumps_to(&traps->machine, routine);
	return goal && goal->start == function->address &&
			       is_other(traps, function, routine->name) ?
		       routine->name :
		       "";
}

/* Those that became a jump to the function. */
static void find_jumps(const struct hp_traps *traps,
		       const struct hp_function *function,
		       struct hp_names *names)
{
	const struct hp_machine *machine = &traps->machine;
	const struct hp_routine *routines = machine->routines.items;
	const struct hp_routine *routine =
		hp_machine_routine(machine, function->address);
	const struct hp_edge *edge;
	size_t count = 0;

	if (!routine)
		return;
	for (edge = hp_machine_into(machine, routine, &count); count;
	     count--, edge++)
		hp_names_add(names, jumping_name(traps, function,
						 &routines[edge->from]));
}

static void check_jump(const struct hp_traps *traps,
		       const struct hp_function *function,
		       struct hp_problems *problems)
{
	const struct hp_routine *routine =
		hp_machine_routine(&traps->machine, function->address);

	if (became_jump(traps, function, 0))
		hp_problem_add(problems, HP_REASON_FOLDED, function->name,
			       "%s became a jump to %s, which is alike; its "
			       "callers may have been sent there directly",
			       function->name,
			       jumps_to(&traps->machine, routine)->name);
}

/* What a linker folded can have two entries at one address in the debugging
 * information. */
static void find_entries(const struct hp_traps *traps,
			 const struct hp_function *function,
			 struct hp_names *names)
{
	const struct hp_function **other;
	size_t left;

	for (other = hp_traps_at(traps, function->address, &left);
	     left && (*other)->address == function->address; left--, other++)
		if ((*other)->root != function->root)
			hp_names_add(names,
				     strcmp((*other)->name, function->name) ?
					     (*other)->name :
					     ANOTHER);
}

/*
 * The debugging information has no body. If there is a symbol nevertheless, the
 * compiler or the linker took the body of a function that is alike.
 */
void hp_traps_check_absent(const struct hp_traps *traps,
			   const struct hp_function *function,
			   struct hp_problems *problems)
{
	struct hp_names names = {.count = 0};
	const struct hp_trap_symbol *symbol;
	const struct hp_function **other;
	const struct hp_routine *routine;
	const struct hp_routine *goal;
	size_t count;
	size_t left;

	symbol = hp_traps_symbols(traps, function->name, &count);
	if (!count || strcmp(symbol->name, function->name) != 0) {
		hp_problem_add(problems, HP_REASON_NO_FUNCTION, function->name,
			       "%s was inlined everywhere and has no code of "
			       "its own",
			       function->name);
		return;
	}
	routine = hp_machine_routine(&traps->machine, symbol->address);
	goal = routine ? jumps_to(&traps->machine, routine) : NULL;
	if (goal)
		hp_names_add(&names, goal->name);
	for (other = hp_traps_at(traps, symbol->address, &left);
	     left && (*other)->address == symbol->address; left--, other++)
		hp_names_add(&names, (*other)->name);
	hp_names_finish(&names);
	hp_problem_add(problems, HP_REASON_FOLDED, function->name,
		       "%s has no body of its own: it was made %s%s",
		       function->name,
		       names.count ? "the same code as " :
				     "of another function that is alike",
		       names.text);
}

void hp_traps_check_folds(const struct hp_traps *traps,
			  const struct hp_function *function,
			  struct hp_problems *problems)
{
	struct hp_names names = {.count = 0};

	find_symbols(traps, function, &names);
	find_entries(traps, function, &names);
	find_jumps(traps, function, &names);
	hp_names_finish(&names);
	if (names.count)
		hp_problem_add(problems, HP_REASON_FOLDED, function->name,
			       "%s and %s are the same code, so whoever calls "
			       "either gets the replacement",
			       function->name, names.text);
	check_jump(traps, function, problems);
}
