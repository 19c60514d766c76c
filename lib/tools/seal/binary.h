/* SPDX-License-Identifier: MIT */
/*
 * A program, library or bundle on disk, with its debugging information, which
 * may be in a file of its own. libelf and libdw bound what they read; what they
 * give is still believed by nobody without a look.
 */
#ifndef HP_SEAL_BINARY_H
#define HP_SEAL_BINARY_H

#include <elfutils/libdw.h>
#include <gelf.h>
#include <hotpatch/patch.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function as DWARF has it: a definition, out of line, inlined or both. */
struct hp_function {
	const char *name;
	const char *file; /* base name of where it is declared */
	Dwarf_Die die;
	Dwarf_Off root; /* of the entry that all its instances come from */
	Dwarf_Addr address;
	bool has_code; /* an instance out of line */
	bool is_external;
	bool is_in_header; /* not declared in its unit's own source */
};

/* A place where a function is called or was inlined. */
struct hp_site {
	Dwarf_Off root; /* of the function */
	const char *caller;
	Dwarf_Off caller_root;
	bool inlined;
};

struct hp_variable {
	const char *name;
	const char *file;
	const char *function; /* that it is local to, or NULL */
	Dwarf_Die die;
	uint64_t address; /* offset in the block if it is thread-local */
	bool is_thread_local;
	bool is_external;
};

/* A complete struct, union, class or enum with a name. */
struct hp_definition {
	const char *name;
	int tag;
	Dwarf_Die die;
};

struct hp_array {
	void *items;
	size_t count;
	size_t room;
};

/*
 * @module:    the name by which a process knows it, "" for a program
 * @elf:       what is loaded; @symbols may come from the debug file
 * @functions, @sites, @variables, @definitions: sorted by name or root; the
 *             items are those above
 */
struct hp_binary {
	const char *path;
	char *module;
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	int fd;
	int debug_fd;
	Elf *elf;
	Elf *debug_elf;
	Dwarf *dwarf;
	struct hp_array functions;
	struct hp_array sites;
	struct hp_array variables;
	struct hp_array definitions;
	bool damaged; /* its debugging information has loops or the like */
};

/* E_NOT_FOUND and the like, E_NOT_ELF, E_MACHINE. The caller owes
 * hp_binary_close() in any case. */
enum hotpatch_status hp_binary_open(struct hp_binary *binary, const char *path,
				    struct hotpatch_error *err);
/* Finds and indexes the debugging information. E_NO_DEBUG, E_NO_MEMORY. */
enum hotpatch_status hp_binary_read_debug(struct hp_binary *binary,
					  const char *directory,
					  struct hotpatch_error *err);
void hp_binary_close(struct hp_binary *binary);

/* A new zeroed item at the end; NULL without memory. */
void *hp_array_add(struct hp_array *array, size_t size);

/* The index; part of hp_binary_read_debug(). */
bool hp_index_build(struct hp_binary *binary);

/* The first item of that name; the others follow. NULL if there is none. */
struct hp_function *hp_binary_function(const struct hp_binary *binary,
				       const char *name);
struct hp_variable *hp_binary_variable(const struct hp_binary *binary,
				       const char *name);
struct hp_definition *hp_binary_definition(const struct hp_binary *binary,
					   const char *name);
/* The first site of the function with that root. */
struct hp_site *hp_binary_site(const struct hp_binary *binary, Dwarf_Off root);

/* The item after it, if it is alike; else NULL. */
struct hp_function *hp_function_next(const struct hp_binary *binary,
				     struct hp_function *function);
struct hp_variable *hp_variable_next(const struct hp_binary *binary,
				     struct hp_variable *variable);
struct hp_definition *hp_definition_next(const struct hp_binary *binary,
					 struct hp_definition *definition);
struct hp_site *hp_site_next(const struct hp_binary *binary,
			     struct hp_site *site);

/* Calls @visit for each symbol of .symtab, or of .dynsym, until it gives back
 * false. */
typedef bool (*hp_symbol_visit)(void *context, const char *name,
				const GElf_Sym *symbol);
void hp_binary_symbols(const struct hp_binary *binary, bool dynamic,
		       hp_symbol_visit visit, void *context);
/* A defined symbol by its name; false if there is none. */
bool hp_binary_symbol(const struct hp_binary *binary, bool dynamic,
		      const char *name, GElf_Sym *symbol);

/* Calls @visit for each text of the dynamic section with this tag. */
void hp_binary_dynamic(const struct hp_binary *binary, GElf_Sxword tag,
		       void (*visit)(void *context, const char *text),
		       void *context);

/* Is what lies at @address changed while the program runs? */
bool hp_binary_is_writable(const struct hp_binary *binary, uint64_t address);

const char *hp_base_name(const char *path);

#endif
