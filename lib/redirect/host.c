/* SPDX-License-Identifier: MIT */
/*
 * A module is known by the address that it is loaded at and its build-id: one
 * that was closed and opened again elsewhere is another host.
 */
#include "host.h"

#include "../engine.h"
#include "../status.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 256

struct search {
	const char *module; /* base name, or NULL */
	uintptr_t address;
	uintptr_t base;
	const void *inside; /* an address in it, NULL if it was not found */
	char path[PATH_MAX];
};

static struct hp_host *hosts;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const void *first_byte(const struct dl_phdr_info *info)
{
	int i;

	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			return (const void *)(info->dlpi_addr +
					      info->dlpi_phdr[i].p_vaddr);
	return NULL;
}

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct search *search = argument;
	bool wanted;

	(void)size;
	if (search->address)
		wanted = hp_module_segment(info, search->address);
	else if (search->module && search->module[0])
		wanted = strcmp(base_name(info->dlpi_name), search->module) ==
			 0;
	else
		wanted = info->dlpi_name[0] == '\0';
	if (!wanted)
		return 0;
	search->base = info->dlpi_addr;
	search->inside = first_byte(info);
	hp_text_copy(search->path, sizeof(search->path), info->dlpi_name);
	return 1;
}

/* The program's name is empty in the loader's list. */
static bool complete_path(struct search *search)
{
	ssize_t length;

	if (search->path[0])
		return true;
	length = readlink("/proc/self/exe", search->path,
			  sizeof(search->path) - 1);
	if (length <= 0)
		return false;
	search->path[length] = '\0';
	return true;
}

static void host_free(struct hp_host *host)
{
	if (!host)
		return;
	if (host->table)
		hp_module_destroy(host->table);
	free(host->records);
	free(host->path);
	free(host);
}

static struct hp_host *host_create(const struct search *search,
				   const struct hp_module_facts *facts,
				   const struct hp_code *code)
{
	struct hp_host *host = calloc(1, sizeof(*host));
	size_t count;

	if (!host)
		return NULL;
	host->base = search->base;
	host->facts = *facts;
	host->code = code;
	host->path = strdup(search->path);
	host->table = hp_module_create_empty(search->inside);
	hp_code_functions(code, &count);
	host->records = calloc(count + 1, sizeof(*host->records));
	if (!host->path || !host->records || !host->table) {
		host_free(host);
		return NULL;
	}
	host->next = hosts;
	hosts = host;
	return host;
}

static enum hotpatch_status open_host(struct search *search,
				      const struct hp_module_facts *facts,
				      struct hp_host **result,
				      struct hotpatch_error *err)
{
	const struct hp_code *code;
	enum hotpatch_status status;
	struct hp_host *host = hosts;

	while (host && (host->base != search->base ||
			strcmp(host->facts.build_id, facts->build_id) != 0 ||
			strcmp(host->path, search->path) != 0))
		host = host->next;
	*result = host;
	if (host)
		return HOTPATCH_OK;
	status = hp_code_open(search->path, facts->build_id, &code, err);
	if (status != HOTPATCH_OK)
		return status;
	*result = host_create(search, facts, code);
	if (!*result)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, search->path,
				"no memory for the functions of %s",
				search->path);
	return HOTPATCH_OK;
}

static enum hotpatch_status find_host(const char *module, uintptr_t address,
				      struct hp_host **host,
				      struct hotpatch_error *err)
{
	const char *object = module && module[0] ? module : "the program";
	struct search search = {.module = module, .address = address};
	struct hp_module_facts facts;

	hp_module_walk(visit, &search);
	if (search.inside && !complete_path(&search))
		return hp_error(err, HOTPATCH_E_TEXT, errno, "/proc/self/exe",
				"the program's file is told by /proc alone: %s",
				strerror(errno));
	if (!search.inside || !hp_module_find(search.inside, &facts))
		return hp_error(err, HOTPATCH_E_NO_MODULE, 0, object,
				"%s is not a loaded module", object);
	return open_host(&search, &facts, host, err);
}

/* What the dynamic loader chose for a symbol with a resolver. */
static uintptr_t resolve(const struct hp_host *host, const char *name)
{
	void *handle = dlopen(host->facts.program ? NULL : host->path,
			      RTLD_NOW | RTLD_NOLOAD);
	void *symbol;

	if (!handle)
		return 0;
	symbol = dlsym(handle, name);
	dlclose(handle);
	return (uintptr_t)symbol;
}

static enum hotpatch_status no_function(enum hotpatch_status status,
					const char *name,
					const struct hp_host *host,
					struct hotpatch_error *err)
{
	return hp_error(err, status, 0, name, "%s: %s in %s",
			hotpatch_status_text(status), name, host->facts.name);
}

static enum hotpatch_status find_at(struct hp_host *host, uintptr_t address,
				    const char *name,
				    const struct hp_function **function,
				    struct hotpatch_error *err)
{
	char text[32];

	*function = hp_code_at(host->code, address - host->base);
	if (*function)
		return HOTPATCH_OK;
	snprintf(text, sizeof(text), "%#lx", (unsigned long)address);
	return no_function(HOTPATCH_E_NO_FUNCTION, name ? name : text, host,
			   err);
}

enum hotpatch_status hp_host_around(uintptr_t address, struct hp_host **host,
				    struct hotpatch_error *err)
{
	*host = NULL;
	return find_host(NULL, address, host, err);
}

enum hotpatch_status hp_host_named(struct hp_host **host, const char *name,
				   const struct hp_function **function,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status;
	bool indirect = false;
	uintptr_t address;

	status = hp_code_find((*host)->code, name, function, &indirect);
	if (status != HOTPATCH_OK)
		return no_function(status, name, *host, err);
	if (!indirect)
		return HOTPATCH_OK;
	address = resolve(*host, name);
	if (!address)
		return no_function(HOTPATCH_E_NO_FUNCTION, name, *host, err);
	status = hp_host_around(address, host, err);
	return *host ? find_at(*host, address, name, function, err) : status;
}

static bool is_inside(const struct hp_host *host, uintptr_t address)
{
	return address >= host->facts.start && address < host->facts.stop;
}

enum hotpatch_status hp_host_find(const struct hotpatch_function_name *name,
				  struct hp_host **host,
				  const struct hp_function **function,
				  struct hotpatch_error *err)
{
	uintptr_t address = (uintptr_t)name->address;
	enum hotpatch_status status;

	if (*host && !name->name && is_inside(*host, address)) {
		*function = hp_code_at((*host)->code, address - (*host)->base);
		if (*function)
			return HOTPATCH_OK;
	}
	*host = NULL;
	status = find_host(name->module, name->name ? 0 : address, host, err);
	if (!*host)
		return status;
	return name->name ? hp_host_named(host, name->name, function, err) :
			    find_at(*host, address, NULL, function, err);
}

struct hp_host *hp_host_first(void)
{
	return hosts;
}

static size_t index_of(const struct hp_host *host,
		       const struct hp_function *function)
{
	size_t count;

	return (size_t)(function - hp_code_functions(host->code, &count));
}

void hp_host_name(const struct hp_host *host,
		  const struct hp_function *function,
		  const struct hotpatch_function_name *name, char *text,
		  size_t size)
{
	const char *symbol = name->name ? name->name :
					  hp_code_name(host->code, function);

	if (symbol[0])
		hp_text_copy(text, size, symbol);
	else
		snprintf(text, size, "%#lx", (unsigned long)function->start);
}

/* The type may be told later than the function was first redirected. */
static bool learn_type(struct hp_redirected *record, const char *prototype)
{
	const char *before = record->slot.prototype;
	char *text;

	if (*before || !*prototype)
		return true;
	text = strdup(prototype);
	if (!text)
		return false;
	hp_engine_lock();
	record->slot.prototype = text;
	hp_engine_unlock();
	free((char *)before);
	return true;
}

struct hp_redirected *hp_host_record(struct hp_host *host,
				     const struct hp_function *function,
				     const struct hotpatch_function_name *name)
{
	struct hp_redirected **place = &host->records[index_of(host, function)];
	const char *prototype = name->prototype ? name->prototype : "";
	struct hp_redirected *record;
	char text[NAME_SIZE];

	if (*place)
		return learn_type(*place, prototype) ? *place : NULL;
	record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	hp_host_name(host, function, name, text, sizeof(text));
	record->function = function;
	record->start = host->base + function->start;
	record->slot.name = strdup(text);
	record->slot.prototype = strdup(prototype);
	record->slot.entry = (void (*)(void))record->start;
	if (!record->slot.name || !record->slot.prototype) {
		free((char *)record->slot.name);
		free((char *)record->slot.prototype);
		free(record);
		return NULL;
	}
	*place = record;
	return record;
}

struct hp_redirected *hp_host_neighbour(const struct hp_host *host,
					const struct hp_function *function,
					ptrdiff_t step)
{
	size_t index = index_of(host, function);
	size_t count;

	hp_code_functions(host->code, &count);
	if (step < 0 && index < (size_t)-step)
		return NULL;
	index += (size_t)step;
	return index < count ? host->records[index] : NULL;
}
