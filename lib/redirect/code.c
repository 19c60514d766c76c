/* SPDX-License-Identifier: MIT */
/*
 * Functions come from the symbol tables, of a separate debug file too, and from
 * the unwind table. What leads into their first bytes is for
 * judge.c.
 */
#include "code.h"

#include "../status.h"
#include "file.h"
#include "frames.h"
#include "judge.h"
#include "list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_NAME SIZE_MAX
#define DEBUG_FOLDER "/usr/lib/debug/.build-id/"

enum rank {
	RANK_LOCAL,
	RANK_SUPERSEDED, /* a version for old programs */
	RANK_GLOBAL,
};

struct name {
	size_t text; /* in @texts */
	uint64_t address;
	enum rank rank;
	bool indirect;
};

struct hp_code {
	struct hp_code *next;
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	struct hp_list functions; /* struct hp_function */
	struct hp_list names;	  /* struct name, by text */
	struct hp_list texts;	  /* char */
};

struct analysis {
	struct hp_elf elf;
	struct hp_code *code;
	bool local;
	bool complete; /* no memory was missing */
};

static struct hp_code *cache;

static const char *text_of(const struct hp_code *code, const struct name *name)
{
	return (const char *)code->texts.items + name->text;
}

/* A function that nothing is known of but its place. */
static bool add_function(struct analysis *analysis, uint64_t start,
			 uint64_t size, enum hotpatch_refusal refusal)
{
	struct hp_function *function;

	if (!hp_elf_is_code(&analysis->elf, start))
		return true;
	function = hp_list_append(&analysis->code->functions, sizeof(*function),
				  1);
	if (!function)
		return analysis->complete = false;
	memset(function, 0, sizeof(*function));
	function->start = start;
	function->stop = start + size;
	function->refusal = (uint8_t)refusal;
	return true;
}

static bool add_name(struct analysis *analysis, const Elf64_Sym *symbol,
		     const char *text, bool superseded)
{
	struct hp_code *code = analysis->code;
	struct name *name = hp_list_append(&code->names, sizeof(*name), 1);
	char *place = hp_list_append(&code->texts, 1, strlen(text) + 1);

	if (!name || !place)
		return analysis->complete = false;
	strcpy(place, text);
	name->text = (size_t)(place - (char *)code->texts.items);
	name->address = symbol->st_value;
	name->rank = superseded ? RANK_SUPERSEDED : RANK_GLOBAL;
	if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL)
		name->rank = RANK_LOCAL;
	name->indirect = ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC;
	return true;
}

/* gcc and clang split what is seldom run off a function. */
static bool is_part(const char *name)
{
	return strstr(name, ".cold") != NULL;
}

static bool visit_symbol(const Elf64_Sym *symbol, const char *name,
			 bool superseded, void *argument)
{
	unsigned char type = ELF64_ST_TYPE(symbol->st_info);
	struct analysis *analysis = argument;

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || !*name ||
	    symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS)
		return true;
	return add_function(analysis, symbol->st_value, symbol->st_size,
			    is_part(name) ? HOTPATCH_REFUSAL_PART :
					    HOTPATCH_REFUSAL_NONE) &&
	       add_name(analysis, symbol, name, superseded);
}

static bool visit_frame(const struct hp_frame *frame, void *argument)
{
	struct analysis *analysis = argument;

	if (frame->signal)
		/* Its range begins a byte early (glibc), for unwinders that
		 * look at the byte before a return address. */
		return add_function(analysis, frame->start + 1,
				    frame->stop - frame->start - 1,
				    HOTPATCH_REFUSAL_SIGNAL_RETURN);
	if (hp_elf_is_linkage(&analysis->elf, frame->start))
		return true;
	return add_function(analysis, frame->start, frame->stop - frame->start,
			    frame->entry ? HOTPATCH_REFUSAL_NONE :
					   HOTPATCH_REFUSAL_PART);
}

static bool read_debug_file(struct analysis *analysis)
{
	const char *id = analysis->elf.build_id;
	struct hp_elf debug;
	char path[128];
	bool complete;

	if (strlen(id) < 3)
		return true;
	snprintf(path, sizeof(path), "%s%.2s/%s.debug", DEBUG_FOLDER, id,
		 id + 2);
	if (!hp_elf_open(path, &debug))
		return true;
	complete =
		strcmp(debug.build_id, id) != 0 ||
		hp_elf_each_symbol(&debug, SHT_SYMTAB, visit_symbol, analysis);
	hp_elf_close(&debug);
	return complete;
}

static int compare_functions(const void *a, const void *b)
{
	const struct hp_function *one = a;
	const struct hp_function *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/*
 * One record for each address. A symbol wins over an unwind table that does not
 * take it for an entry, which assembly often has; but where the kernel returns
 * to, nobody calls.
 */
static void merge(struct hp_function *into, const struct hp_function *other)
{
	if (other->stop > into->stop)
		into->stop = other->stop;
	if (other->refusal == HOTPATCH_REFUSAL_SIGNAL_RETURN ||
	    (other->refusal == HOTPATCH_REFUSAL_NONE &&
	     into->refusal == HOTPATCH_REFUSAL_PART))
		into->refusal = other->refusal;
}

static void unite_functions(struct hp_code *code)
{
	struct hp_function *functions = code->functions.items;
	size_t kept = 0;
	size_t i;

	if (!code->functions.count)
		return;
	qsort(functions, code->functions.count, sizeof(*functions),
	      compare_functions);
	for (i = 1; i < code->functions.count; i++)
		if (functions[i].start == functions[kept].start)
			merge(&functions[kept], &functions[i]);
		else
			functions[++kept] = functions[i];
	code->functions.count = kept + 1;
}

static bool collect(struct analysis *analysis)
{
	const struct hp_elf *elf = &analysis->elf;

	if (!hp_elf_each_symbol(elf, SHT_DYNSYM, visit_symbol, analysis) ||
	    !hp_elf_each_symbol(elf, SHT_SYMTAB, visit_symbol, analysis) ||
	    !read_debug_file(analysis) ||
	    !hp_frames_each(elf, visit_frame, analysis))
		return false;
	unite_functions(analysis->code);
	return true;
}

static const struct hp_code *sorting;

static int compare_names(const void *a, const void *b)
{
	return strcmp(text_of(sorting, a), text_of(sorting, b));
}

static struct hp_function *find_function(const struct hp_code *code,
					 uint64_t address)
{
	const struct hp_function wanted = {.start = address};

	if (!code->functions.count)
		return NULL; /* bsearch() takes no NULL */
	return bsearch(&wanted, code->functions.items, code->functions.count,
		       sizeof(wanted), compare_functions);
}

/* Each function is called by its name of the highest rank. */
static void name_functions(struct hp_code *code)
{
	const struct name *names = code->names.items;
	struct hp_function *functions = code->functions.items;
	struct hp_function *function;
	size_t i;

	for (i = 0; i < code->functions.count; i++)
		functions[i].name = NO_NAME;
	for (i = 0; i < code->names.count; i++) {
		function = find_function(code, names[i].address);
		if (function && (function->name == NO_NAME ||
				 names[function->name].rank < names[i].rank))
			function->name = i;
	}
}

static void code_free(struct hp_code *code)
{
	if (!code)
		return;
	free(code->functions.items);
	free(code->names.items);
	free(code->texts.items);
	free(code);
}

static struct hp_code *analyse(struct analysis *analysis)
{
	struct hp_code *code = calloc(1, sizeof(*code));
	bool complete;

	if (!code)
		return NULL;
	analysis->code = code;
	analysis->complete = true;
	hp_text_copy(code->build_id, sizeof(code->build_id),
		     analysis->elf.build_id);
	complete = collect(analysis) && analysis->complete &&
		   hp_judge(&analysis->elf, code->functions.items,
			    code->functions.count);
	if (!complete) {
		code_free(code);
		return NULL;
	}
	if (code->names.count) {
		sorting = code;
		qsort(code->names.items, code->names.count, sizeof(struct name),
		      compare_names);
	}
	name_functions(code);
	return code;
}

static const struct hp_code *find_cached(const char *build_id)
{
	const struct hp_code *code = cache;

	while (code && strcmp(code->build_id, build_id) != 0)
		code = code->next;
	return build_id[0] ? code : NULL;
}

static enum hotpatch_status
analyse_file(const char *path, struct analysis *analysis, const char *build_id,
	     const struct hp_code **result, struct hotpatch_error *err)
{
	struct hp_code *code;

	if (build_id[0] && strcmp(build_id, analysis->elf.build_id) != 0)
		return hp_error(err, HOTPATCH_E_SWAPPED, 0, path,
				"%s is another build than the one that was "
				"loaded from it",
				path);
	*result = find_cached(analysis->elf.build_id);
	if (*result)
		return HOTPATCH_OK;
	code = analyse(analysis);
	if (!code)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, path,
				"no memory to analyse %s", path);
	code->next = cache;
	cache = code;
	*result = code;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_code_open(const char *path, const char *build_id,
				  const struct hp_code **code,
				  struct hotpatch_error *err)
{
	struct analysis analysis = {.code = NULL};
	enum hotpatch_status status;

	*code = find_cached(build_id);
	if (*code)
		return HOTPATCH_OK;
	if (!hp_elf_open(path, &analysis.elf))
		return hp_error(err,
				errno == ENOEXEC ? HOTPATCH_E_NOT_ELF :
						   HOTPATCH_E_NOT_FOUND,
				errno, path, "%s cannot be analysed: %s", path,
				strerror(errno));
	status = analyse_file(path, &analysis, build_id, code, err);
	hp_elf_close(&analysis.elf);
	return status;
}

const struct hp_function *hp_code_functions(const struct hp_code *code,
					    size_t *count)
{
	*count = code->functions.count;
	return code->functions.items;
}

const struct hp_function *hp_code_at(const struct hp_code *code,
				     uint64_t address)
{
	return find_function(code, address);
}

static size_t first_name(const struct hp_code *code, const char *text)
{
	const struct name *names = code->names.items;
	size_t low = 0;
	size_t high = code->names.count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(text_of(code, &names[middle]), text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of several symbols of one name the one of the highest rank is meant. */
enum hotpatch_status hp_code_find(const struct hp_code *code, const char *text,
				  const struct hp_function **function,
				  bool *indirect)
{
	const struct name *names = code->names.items;
	const struct name *found = NULL;
	bool ambiguous = false;
	size_t i;

	for (i = first_name(code, text);
	     i < code->names.count &&
	     strcmp(text_of(code, &names[i]), text) == 0;
	     i++) {
		if (!found || found->rank < names[i].rank) {
			ambiguous = false;
			found = &names[i];
		} else if (found->rank == names[i].rank &&
			   found->address != names[i].address) {
			ambiguous = true;
		}
	}
	if (!found)
		return HOTPATCH_E_NO_FUNCTION;
	if (ambiguous)
		return HOTPATCH_E_AMBIGUOUS;
	*indirect = found->indirect;
	*function = hp_code_at(code, found->address);
	return *function ? HOTPATCH_OK : HOTPATCH_E_NO_FUNCTION;
}

const char *hp_code_name(const struct hp_code *code,
			 const struct hp_function *function)
{
	const struct name *names = code->names.items;

	return function->name == NO_NAME ?
		       "" :
		       text_of(code, &names[function->name]);
}
