/* SPDX-License-Identifier: MIT */
/*
 * Variables of the bundle: what the host has, too, would silently be there
 * twice, and what is thread-local would need room in every thread.
 */
#include "die.h"
#include "seal.h"

#include <stdio.h>
#include <string.h>

/* "handle_request" of "handle_request__replacement", for both sides. */
static void plain_function(const char *name, char *text, size_t size)
{
	const char *ending = NULL;

	if (name) {
		ending = strstr(name, "__replacement");
		if (!ending)
			ending = strstr(name, "__original");
	}
	snprintf(text, size, "%.*s",
		 ending ? (int)(ending - name) : (int)strlen(name ? name : ""),
		 name ? name : "");
}

static bool is_in_one_scope(const struct hp_variable *a,
			    const struct hp_variable *b)
{
	char one[256];
	char other[256];

	plain_function(a->function, one, sizeof(one));
	plain_function(b->function, other, sizeof(other));
	return !strcmp(one, other);
}

static void check_variable(struct hp_seal *seal, size_t index,
			   const struct hp_variable *variable)
{
	const struct hp_binary *host = &seal->targets[index];
	struct hp_variable *other = hp_binary_variable(host, variable->name);
	char scope[256];

	for (; other; other = hp_variable_next(host, other)) {
		if (other->is_thread_local || !is_in_one_scope(variable, other))
			continue;
		plain_function(variable->function, scope, sizeof(scope));
		hp_problem_add(&seal->problems, HP_REASON_DUPLICATE_STATIC,
			       variable->name,
			       "the variable %s%s%s of %s would be there "
			       "twice: the bundle has a copy of its own, with "
			       "its first value",
			       variable->name, *scope ? " in " : "", scope,
			       other->file);
		return;
	}
	hp_remark_add(&seal->problems, variable->name,
		      "the variable is the bundle's own; the host has none of "
		      "that name");
}

/* The library's own records, which its macros write on both sides. */
static bool is_record(const struct hp_variable *variable)
{
	Dwarf_Die die = variable->die;
	struct hp_type type = hp_die_type(&die);
	char text[64];

	hp_type_spell(&type, text, sizeof(text));
	return strncmp(variable->name, "hotpatch_", 9) == 0 ||
	       strncmp(text, "struct hotpatch_", 16) == 0;
}

void hp_seal_check_data(struct hp_seal *seal, size_t index)
{
	const struct hp_variable *variable = seal->bundle.variables.items;
	size_t i;

	for (i = 0; i < seal->bundle.variables.count; i++, variable++)
		if (!variable->is_thread_local &&
		    hp_binary_is_writable(&seal->bundle, variable->address) &&
		    !is_record(variable))
			check_variable(seal, index, variable);
}

static bool report_thread_local(void *context, const char *name,
				const GElf_Sym *symbol)
{
	struct hp_seal *seal = context;

	if (GELF_ST_TYPE(symbol->st_info) == STT_TLS &&
	    symbol->st_shndx != SHN_UNDEF)
		hp_problem_add(&seal->problems, HP_REASON_THREAD_LOCAL, name,
			       "the bundle defines the thread-local variable "
			       "%s",
			       name);
	return true;
}

/* By symbols, and by the segment where these were stripped. */
static void check_thread_locals(struct hp_seal *seal)
{
	size_t before = seal->problems.items.count;
	GElf_Phdr segment;
	size_t count = 0;
	size_t i;

	hp_binary_symbols(&seal->bundle, false, report_thread_local, seal);
	elf_getphdrnum(seal->bundle.elf, &count);
	for (i = 0; i < count && seal->problems.items.count == before; i++)
		if (gelf_getphdr(seal->bundle.elf, (int)i, &segment) &&
		    segment.p_type == PT_TLS && segment.p_memsz)
			hp_problem_add(&seal->problems, HP_REASON_THREAD_LOCAL,
				       seal->manifest.name,
				       "the bundle defines thread-local "
				       "variables");
}

/* Functions whose use keeps the code alive, or runs it, outside of calls. */
static const struct {
	const char *name;
	enum hp_reason reason;
	const char *what;
} calls[] = {
	{"atexit", HP_REASON_ATEXIT, "registers a function for the exit"},
	{"on_exit", HP_REASON_ATEXIT, "registers a function for the exit"},
	{"__cxa_atexit", HP_REASON_ATEXIT, "registers a function for the exit"},
	{"at_quick_exit", HP_REASON_ATEXIT,
	 "registers a function for the exit"},
	{"__cxa_thread_atexit_impl", HP_REASON_ATEXIT,
	 "registers a destructor of a thread-local variable"},
	{"__cxa_thread_atexit", HP_REASON_ATEXIT,
	 "registers a destructor of a thread-local variable"},
	{"pthread_create", HP_REASON_THREAD, "starts a thread"},
	{"thrd_create", HP_REASON_THREAD, "starts a thread"},
	{"signal", HP_REASON_SIGNAL, "handles a signal"},
	{"sigaction", HP_REASON_SIGNAL, "handles a signal"},
	{"sigset", HP_REASON_SIGNAL, "handles a signal"},
	{"pthread_key_create", HP_REASON_KEY, "makes a key of threads"},
	{"tss_create", HP_REASON_KEY, "makes a key of threads"},
};

static bool report_call(void *context, const char *name, const GElf_Sym *symbol)
{
	struct hp_seal *seal = context;
	size_t i;

	if (symbol->st_shndx != SHN_UNDEF)
		return true;
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(calls[i].name, name))
			hp_problem_add(&seal->problems, calls[i].reason, name,
				       "the bundle uses %s, which %s", name,
				       calls[i].what);
	return true;
}

void hp_seal_check_bundle(struct hp_seal *seal)
{
	seal->problems.build = NULL;
	check_thread_locals(seal);
	hp_binary_symbols(&seal->bundle, true, report_call, seal);
	if (seal->manifest.constructors)
		hp_problem_add(&seal->problems, HP_REASON_CONSTRUCTOR,
			       seal->manifest.name,
			       "the bundle has %zu constructor%s",
			       seal->manifest.constructors,
			       seal->manifest.constructors == 1 ? "" : "s");
}
