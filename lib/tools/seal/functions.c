/* SPDX-License-Identifier: MIT */
/*
 * Replaced functions: whether the host prepared them, their signatures and all
 * types that these reach, and copies of them that the compiler made and that a
 * replacement does not reach.
 */
#include "abi.h"
#include "seal.h"

#include <stdio.h>
#include <string.h>

#define CALLERS_SHOWN 4

/* The function called @name__@ending, from the named file unless that is "". */
static struct hp_function *find_body(const struct hp_binary *binary,
				     const char *name, const char *ending,
				     const char *file)
{
	struct hp_function *function;
	char body[320];

	snprintf(body, sizeof(body), "%s__%s", name, ending);
	for (function = hp_binary_function(binary, body); function;
	     function = hp_function_next(binary, function))
		if (!*file || !strcmp(function->file, file))
			return function;
	return NULL;
}

struct hp_function *hp_seal_original(const struct hp_binary *binary,
				     const char *name, const char *file)
{
	return find_body(binary, name, "original", file);
}

struct hp_function *hp_seal_replacement(const struct hp_binary *bundle,
					const char *name)
{
	return find_body(bundle, name, "replacement", "");
}

void hp_seal_check_types(struct hp_seal *seal, size_t index, size_t replace,
			 struct hp_function *host, struct hp_function *bundle)
{
	const char *name = seal->manifest.replaces[replace].name;
	struct hp_facts *facts = &seal->facts[index];
	struct hotpatch_sealed_function *fact =
		&facts->functions[facts->function_count++];
	struct hp_comparison comparison = {
		.host = &seal->targets[index],
		.bundle = &seal->bundle,
		.problems = &seal->problems,
		.reason = HP_REASON_SIGNATURE,
		.object = name,
	};

	hp_abi_compare_functions(&comparison, &host->die, &bundle->die);
	fact->function = (uint32_t)replace;
	fact->flags = comparison.opaque ? HOTPATCH_SEALED_OPAQUE : 0;
	fact->abi_hash =
		hp_abi_hash_function(&seal->targets[index], &host->die);
	seal->hashes[replace] =
		hp_abi_hash_function(&seal->bundle, &bundle->die);
	if (!fact->abi_hash || !seal->hashes[replace])
		seal->problems.no_memory = true;
	if (!comparison.differs)
		hp_remark_add(&seal->problems, name,
			      "it is replaced; it and the %zu types that it "
			      "reaches are alike in %s",
			      comparison.pairs.count, seal->problems.build);
	hp_comparison_release(&comparison);
}

/* Is there at least a function of that name, which was not prepared? */
static void report_no_slot(struct hp_seal *seal, size_t index,
			   const struct hp_replace *replace)
{
	const struct hp_binary *host = &seal->targets[index];
	bool exists = hp_binary_function(host, replace->name);
	char body[320];
	GElf_Sym symbol;

	snprintf(body, sizeof(body), "%s__original", replace->name);
	if (!hp_binary_function(host, body) &&
	    hp_binary_symbol(host, false, body, &symbol)) {
		hp_problem_add(&seal->problems, HP_REASON_NO_DEBUG,
			       replace->name,
			       "%s has no debugging information of %s",
			       host->path, replace->name);
		return;
	}
	hp_problem_add(&seal->problems, HP_REASON_NO_SLOT, replace->name,
		       "%s%s%s is %s %s", replace->file,
		       *replace->file ? ":" : "", replace->name,
		       exists ? "not prepared for replacement in" :
				"not a function of",
		       host->path);
}

void hp_seal_check_functions(struct hp_seal *seal, size_t index)
{
	const struct hp_replace *replace;
	struct hp_function *bundle;
	struct hp_function *host;
	size_t i;

	for (i = 0; i < seal->manifest.replace_count; i++) {
		replace = &seal->manifest.replaces[i];
		if (replace->redirect ||
		    !hp_seal_is_for(seal, replace->module, index))
			continue;
		host = hp_seal_original(&seal->targets[index], replace->name,
					replace->file);
		bundle = hp_seal_replacement(&seal->bundle, replace->name);
		if (!host)
			report_no_slot(seal, index, replace);
		else if (!bundle)
			hp_problem_add(&seal->problems, HP_REASON_NO_DEBUG,
				       replace->name,
				       "the debugging information of the "
				       "bundle has no body for %s",
				       replace->name);
		else
			hp_seal_check_types(seal, index, i, host, bundle);
	}
}

/* Drops "__original", so that callers have the names of the source. */
static void plain_name(const char *name, char *text, size_t size)
{
	const char *ending = strstr(name, "__original");

	snprintf(text, size, "%.*s",
		 ending ? (int)(ending - name) : (int)strlen(name), name);
}

/* The names of those who have a copy or call one and are not replaced
 * themselves; how many there are. */
static size_t list_callers(const struct hp_seal *seal, size_t index,
			   const struct hp_function *function, char *text,
			   size_t size)
{
	const struct hp_binary *host = &seal->targets[index];
	struct hp_site *site = hp_binary_site(host, function->root);
	const char *last = "";
	char name[256];
	size_t count = 0;

	text[0] = '\0';
	for (; site; site = hp_site_next(host, site)) {
		plain_name(site->caller, name, sizeof(name));
		if (site->caller_root == function->root ||
		    !strcmp(site->caller, last) ||
		    hp_seal_replaces(seal, name,
				     strcmp(name, site->caller) != 0, index))
			continue;
		last = site->caller;
		if (count++ < CALLERS_SHOWN)
			snprintf(text + strlen(text), size - strlen(text),
				 "%s%s", count > 1 ? ", " : "", name);
	}
	if (count > CALLERS_SHOWN)
		snprintf(text + strlen(text), size - strlen(text),
			 " and %zu more", count - CALLERS_SHOWN);
	return count;
}

/* Clones that no site tells of, by the names of their symbols. */
struct clones {
	const char *name;
	char found[128];
};

static bool match_clone(void *context, const char *name, const GElf_Sym *symbol)
{
	static const char *const endings[] = {".constprop.", ".isra.",
					      ".part."};
	struct clones *clones = context;
	size_t length = strlen(clones->name);
	size_t i;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC ||
	    strncmp(name, clones->name, length) != 0 || name[length] != '.' ||
	    strstr(name, ".cold"))
		return true;
	for (i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		if (strstr(name + length, endings[i]))
			snprintf(clones->found, sizeof(clones->found), "%s",
				 name);
	return !*clones->found;
}

static void check_clones(struct hp_seal *seal, size_t index,
			 const struct hp_replace *replace,
			 const struct hp_function *host)
{
	struct clones clones = {.name = host->name};

	hp_binary_symbols(&seal->targets[index], false, match_clone, &clones);
	if (*clones.found)
		hp_problem_add(&seal->problems, HP_REASON_COPY, replace->name,
			       "the compiler made the copy %s of %s; who calls "
			       "it is not known",
			       clones.found, replace->name);
}

static void check_replaced(struct hp_seal *seal, size_t index,
			   const struct hp_replace *replace,
			   const struct hp_function *host)
{
	char callers[400];

	if (list_callers(seal, index, host, callers, sizeof(callers))) {
		hp_problem_add(&seal->problems, HP_REASON_COPY, replace->name,
			       "%s has copies of the body of %s, or calls it "
			       "directly, past the entry",
			       callers, replace->name);
		return;
	}
	if (hp_binary_site(&seal->targets[index], host->root))
		return; /* all of them are replaced */
	check_clones(seal, index, replace, host);
}

static bool ends_with(const char *name, const char *ending)
{
	size_t length = strlen(name);
	size_t other = strlen(ending);

	return length >= other && !strcmp(name + length - other, ending);
}

/*
 * A function that the bundle and the host both have, besides the replaced
 * ones. If the fix changes it, the host's callers still have the old one. What
 * a header defines is left out: that is in every unit, changed or not.
 */
static void check_helper(struct hp_seal *seal, size_t index,
			 const struct hp_function *helper)
{
	const struct hp_binary *host = &seal->targets[index];
	const struct hp_function *other =
		hp_binary_function(host, helper->name);
	char callers[400];

	if (helper->is_in_header || ends_with(helper->name, "__replacement"))
		return;
	if (hp_seal_original(host, helper->name, "")) {
		hp_problem_add(&seal->problems, HP_REASON_HELPER, helper->name,
			       "%s can be replaced in the host, but the bundle "
			       "has a plain function of that name",
			       helper->name);
		return;
	}
	if (!other)
		return;
	if (list_callers(seal, index, other, callers, sizeof(callers)))
		hp_problem_add(&seal->problems, HP_REASON_HELPER, helper->name,
			       "the bundle has a copy of its own of %s; %s in "
			       "the host use the host's",
			       helper->name, callers);
	else
		hp_remark_add(&seal->problems, helper->name,
			      "the bundle has a copy of its own; no function "
			      "of the host that is not replaced was seen to "
			      "use the host's");
}

void hp_seal_check_copies(struct hp_seal *seal, size_t index)
{
	const struct hp_function *function = seal->bundle.functions.items;
	const struct hp_replace *replace;
	struct hp_function *host;
	size_t i;

	for (i = 0; i < seal->manifest.replace_count; i++) {
		replace = &seal->manifest.replaces[i];
		if (replace->redirect ||
		    !hp_seal_is_for(seal, replace->module, index))
			continue;
		host = hp_seal_original(&seal->targets[index], replace->name,
					replace->file);
		if (host)
			check_replaced(seal, index, replace, host);
	}
	for (i = 0; i < seal->bundle.functions.count; i++)
		check_helper(seal, index, &function[i]);
}
