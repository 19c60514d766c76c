/* SPDX-License-Identifier: MIT */
/*
 * What the dynamic loader will be asked for: symbols that nobody offers, and
 * libraries that the host does not have loaded. Libraries are looked for where
 * the dynamic loader looks; one that is not found is said to be unknown.
 */
#include "seal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY_LIMIT 512

/* The libraries of a binary, each with those that it needs in turn. */
struct closure {
	const struct hp_binary *root;
	const struct hp_binary *of; /* that is being read */
	struct hp_array libraries;
	char *folders; /* of the one that is being read, with colons */
};

struct library {
	char *name;
	char *path;
	struct hp_binary binary;
	bool found;
};

static void keep_text(void *context, const char *text)
{
	char **place = context;

	free(*place);
	*place = strdup(text);
}

/* Does @name lie in the folder? "$ORIGIN" is that of the binary. */
static bool try_folder(const struct hp_binary *of, const char *folder,
		       size_t length, const char *name, char *path)
{
	char origin[PATH_MAX];

	if (length >= 7 && !memcmp(folder, "$ORIGIN", 7) &&
	    realpath(of->path, origin)) {
		*strrchr(origin, '/') = '\0';
		snprintf(path, PATH_MAX, "%.2000s%.*s/%.255s", origin,
			 (int)(length - 7), folder + 7, name);
	} else {
		snprintf(path, PATH_MAX, "%.*s/%.255s", (int)length, folder,
			 name);
	}
	return access(path, R_OK) == 0;
}

static bool try_folders(const struct hp_binary *of, const char *folders,
			const char *name, char *path)
{
	size_t length;

	while (folders && *folders) {
		length = strcspn(folders, ":");
		if (length && length < 2000 &&
		    try_folder(of, folders, length, name, path))
			return true;
		folders += length;
		folders += *folders == ':';
	}
	return false;
}

static bool find_library(const struct closure *closure, const char *name,
			 char *path)
{
	static const char usual[] =
		"/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:"
		"/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:"
		"/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib";

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return access(path, R_OK) == 0;
	}
	return try_folders(closure->of, closure->folders, name, path) ||
	       try_folders(closure->of, getenv("LD_LIBRARY_PATH"), name,
			   path) ||
	       try_folders(closure->of, usual, name, path);
}

static bool is_known(const struct closure *closure, const char *name)
{
	const struct library *library = closure->libraries.items;
	size_t i;

	for (i = 0; i < closure->libraries.count; i++)
		if (!strcmp(library[i].name, name))
			return true;
	return false;
}

static void add_library(void *context, const char *name)
{
	struct closure *closure = context;
	struct library *library;
	struct hotpatch_error err;

	if (is_known(closure, name) ||
	    closure->libraries.count == LIBRARY_LIMIT)
		return;
	library = hp_array_add(&closure->libraries, sizeof(*library));
	if (!library)
		return;
	library->name = strdup(name);
	library->path = malloc(PATH_MAX);
	if (!library->name || !library->path) {
		free(library->name);
		free(library->path);
		closure->libraries.count--;
		return;
	}
	library->found = find_library(closure, name, library->path) &&
			 !hp_binary_open(&library->binary, library->path, &err);
}

static void read_libraries(struct closure *closure,
			   const struct hp_binary *binary)
{
	closure->of = binary;
	hp_binary_dynamic(binary, DT_RPATH, keep_text, &closure->folders);
	hp_binary_dynamic(binary, DT_RUNPATH, keep_text, &closure->folders);
	hp_binary_dynamic(binary, DT_NEEDED, add_library, closure);
}

static void open_closure(struct closure *closure,
			 const struct hp_binary *binary)
{
	struct library copy;
	size_t i;

	memset(closure, 0, sizeof(*closure));
	closure->root = binary;
	read_libraries(closure, binary);
	for (i = 0; i < closure->libraries.count; i++) {
		/* Copied, because the list may move. */
		copy = ((struct library *)closure->libraries.items)[i];
		if (copy.found)
			read_libraries(closure, &copy.binary);
	}
}

static void close_closure(struct closure *closure)
{
	struct library *library = closure->libraries.items;
	size_t i;

	for (i = 0; i < closure->libraries.count; i++) {
		if (library[i].binary.elf || library[i].binary.module)
			hp_binary_close(&library[i].binary);
		free(library[i].name);
		free(library[i].path);
	}
	free(closure->libraries.items);
	free(closure->folders);
}

static bool closure_exports(const struct closure *closure, const char *name,
			    bool *searched)
{
	const struct library *library = closure->libraries.items;
	GElf_Sym symbol;
	size_t i;

	*searched = true;
	if (hp_binary_symbol(closure->root, true, name, &symbol))
		return true;
	for (i = 0; i < closure->libraries.count; i++) {
		if (!library[i].found)
			*searched = false;
		else if (hp_binary_symbol(&library[i].binary, true, name,
					  &symbol))
			return true;
	}
	return false;
}

bool hp_libraries_export(const struct hp_binary *binary, const char *name,
			 bool *searched)
{
	struct closure closure;
	bool found;

	open_closure(&closure, binary);
	found = closure_exports(&closure, name, searched);
	close_closure(&closure);
	return found;
}

/* The symbols that a bundle wants, and who may have them. */
struct wanted {
	struct hp_seal *seal;
	struct closure host;
	struct closure bundle;
};

static bool check_symbol(void *context, const char *name,
			 const GElf_Sym *symbol)
{
	struct wanted *wanted = context;
	bool searched[2];

	if (symbol->st_shndx != SHN_UNDEF || !*name ||
	    GELF_ST_BIND(symbol->st_info) == STB_WEAK ||
	    closure_exports(&wanted->host, name, &searched[0]) ||
	    closure_exports(&wanted->bundle, name, &searched[1]))
		return true;
	if (searched[0] && searched[1])
		hp_problem_add(&wanted->seal->problems, HP_REASON_UNRESOLVED,
			       name,
			       "%s is used by the bundle, and neither %s nor "
			       "its libraries export it",
			       name, wanted->host.root->path);
	else
		hp_problem_add(&wanted->seal->problems, HP_REASON_UNKNOWN, name,
			       "%s is used by the bundle; where it comes from "
			       "is not known, because not all libraries were "
			       "found",
			       name);
	return true;
}

static void check_library(void *context, const char *name)
{
	struct wanted *wanted = context;

	if (!is_known(&wanted->host, name) &&
	    strcmp(name, wanted->host.root->module) != 0)
		hp_problem_add(&wanted->seal->problems, HP_REASON_LIBRARY, name,
			       "the bundle needs %s, which %s does not load",
			       name, wanted->host.root->path);
}

void hp_seal_check_symbols(struct hp_seal *seal, size_t index)
{
	struct wanted wanted = {.seal = seal};

	open_closure(&wanted.host, &seal->targets[index]);
	open_closure(&wanted.bundle, &seal->bundle);
	hp_binary_symbols(&seal->bundle, true, check_symbol, &wanted);
	hp_binary_dynamic(&seal->bundle, DT_NEEDED, check_library, &wanted);
	close_closure(&wanted.host);
	close_closure(&wanted.bundle);
}
