/* SPDX-License-Identifier: MIT */
/*
 * How many functions of the given libraries can be redirected: analyses each,
 * has the verdicts checked by what objdump reads in the same file, and then
 * redirects all functions of all of them at once. Fails if objdump contradicts a
 * verdict, or if fewer than 99.8 in a hundred are accepted.
 *
 * Wrong is an accepted function where objdump sees no instruction of that
 * length, or where anything leads into the bytes that would change, other than
 * to the beginning of an instruction, or where a loop of its own leads back to
 * its beginning.
 */
#include "../../lib/redirect/code.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ACCEPTED_PER_MILLE 998
#define GROUP 64

struct instruction {
	uint64_t address;
	uint64_t target; /* 0 if it is no branch */
	bool call;
};

struct listing {
	struct instruction *items;
	size_t count;
	size_t capacity;
};

struct row {
	const char *name;
	size_t functions; /* parts of others and signal returns left out */
	size_t tiers[3];
	size_t refused;
	size_t no_room;
	size_t wrong;
	double analysed_ms;
	double redirected_us;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void add_line(struct listing *listing, const char *line)
{
	struct instruction instruction = {.target = 0};
	char mnemonic[32];
	unsigned long address;
	unsigned long target;
	int fields =
		sscanf(line, " %lx: %31s %lx", &address, mnemonic, &target);

	if (fields < 2 || !strchr(line, ':'))
		return;
	/* "bnd jmp", "notrack jmp" and predicted branches. */
	if (fields == 2 &&
	    sscanf(line, " %*x: %*s %31s %lx", mnemonic, &target) == 2)
		fields = 3;
	instruction.address = address;
	instruction.call = strncmp(mnemonic, "call", 4) == 0;
	if (fields == 3 && (mnemonic[0] == 'j' || instruction.call ||
			    strncmp(mnemonic, "loop", 4) == 0))
		instruction.target = target;
	if (listing->count == listing->capacity) {
		listing->capacity = listing->capacity * 2 + 4096;
		listing->items =
			realloc(listing->items,
				listing->capacity * sizeof(instruction));
		if (!listing->items)
			abort();
	}
	listing->items[listing->count++] = instruction;
}

/* What objdump sees between the two addresses; all if @stop is 0. */
static bool read_listing(const char *path, uint64_t start, uint64_t stop,
			 struct listing *listing)
{
	char command[4300];
	char line[1024];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "objdump -d -w --no-show-raw-insn --start-address=%#lx "
		 "--stop-address=%#lx '%s'",
		 (unsigned long)start, (unsigned long)(stop ? stop : INT64_MAX),
		 path);
	pipe = popen(command, "r"); // NOLINT(cert-env33-c)
	if (!pipe)
		return false;
	while (fgets(line, sizeof(line), pipe))
		if (line[0] == ' ')
			add_line(listing, line);
	return pclose(pipe) == 0 && listing->count > 0;
}

/* The first instruction at or behind @address. */
static size_t place_of(const struct listing *listing, uint64_t address)
{
	size_t low = 0;
	size_t high = listing->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (listing->items[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_length(const struct listing *listing, uint64_t address,
		       uint64_t length)
{
	size_t at = place_of(listing, address);

	return at < listing->count && listing->items[at].address == address &&
	       (at + 1 == listing->count ||
		listing->items[at + 1].address == address + length);
}

static const struct hp_function *around(const struct hp_function *functions,
					size_t count, uint64_t address)
{
	size_t low = 0;
	size_t high = count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &functions[low - 1] : NULL;
}

static bool is_accepted(const struct hp_function *function)
{
	return function->refusal == HOTPATCH_REFUSAL_NONE;
}

/* Does this branch contradict the verdict on the function it leads into? */
static bool contradicts(const struct hp_function *function,
			const struct instruction *branch)
{
	uint64_t head = function->start + function->skip;
	uint64_t next = head + function->length;
	uint64_t to = branch->target;

	if (!is_accepted(function))
		return false;
	if ((to > head && to < head + function->written) ||
	    (to > next && to < next + function->next_written))
		return true;
	return !branch->call && (to == head || to == function->start) &&
	       branch->address >= function->start &&
	       branch->address < function->stop;
}

/* The same from a listing that begins there: behind data among the code the
 * whole one is out of step. */
static bool has_length_alone(const char *path,
			     const struct hp_function *function)
{
	struct listing listing = {NULL, 0, 0};
	uint64_t head = function->start + function->skip;
	bool has;

	if (!read_listing(path, head, head + sizeof(function->bytes), &listing))
		return false;
	has = has_length(&listing, head, function->length);
	free(listing.items);
	return has;
}

static size_t count_wrong(const char *path, const struct listing *listing,
			  const struct hp_function *functions, size_t count)
{
	const struct hp_function *function;
	size_t wrong = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!is_accepted(&functions[i]) ||
		    has_length(listing, functions[i].start + functions[i].skip,
			       functions[i].length) ||
		    has_length_alone(path, &functions[i]))
			continue;
		printf("%#lx: objdump sees another instruction\n",
		       (unsigned long)functions[i].start);
		wrong++;
	}
	for (i = 0; i < listing->count; i++) {
		if (!listing->items[i].target)
			continue;
		function = around(functions, count, listing->items[i].target);
		if (!function || !contradicts(function, &listing->items[i]))
			continue;
		printf("%#lx: %#lx leads into it\n",
		       (unsigned long)function->start,
		       (unsigned long)listing->items[i].address);
		wrong++;
	}
	return wrong;
}

static void count_verdicts(const struct hp_function *functions, size_t count,
			   struct row *row)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (functions[i].refusal == HOTPATCH_REFUSAL_PART ||
		    functions[i].refusal == HOTPATCH_REFUSAL_SIGNAL_RETURN)
			continue;
		row->functions++;
		if (is_accepted(&functions[i]))
			row->tiers[functions[i].tier]++;
		else
			row->refused++;
	}
}

/* How many of the names cannot be redirected; in groups, and where one of a
 * group cannot, one by one. */
static size_t redirect_all(const struct hotpatch_function_name *names,
			   size_t count)
{
	struct hotpatch_error err;
	size_t refused = 0;
	size_t group;
	size_t i;
	size_t j;

	if (hotpatch_redirect(names, count, &err) == HOTPATCH_OK)
		return 0;
	for (i = 0; i < count; i += group) {
		group = count - i < GROUP ? count - i : GROUP;
		if (hotpatch_redirect(names + i, group, &err) == HOTPATCH_OK)
			continue;
		for (j = i; j < i + group; j++) {
			if (hotpatch_redirect(names + j, 1, &err) ==
			    HOTPATCH_OK)
				continue;
			printf("%s\n", err.sentence);
			refused++;
		}
	}
	return refused;
}

static bool redirect_module(void *handle, const struct hp_function *functions,
			    size_t count, struct row *row)
{
	struct hotpatch_function_name *names =
		calloc(count + 1, sizeof(*names));
	struct link_map *map = NULL;
	size_t wanted = 0;
	double began_ms;
	size_t i;

	if (!names || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
		return false;
	for (i = 0; i < count; i++)
		if (is_accepted(&functions[i]))
			names[wanted++].address =
				(const void *)(map->l_addr +
					       functions[i].start);
	began_ms = now_ms();
	row->no_room = redirect_all(names, wanted);
	row->redirected_us = (now_ms() - began_ms) * 1e3 / (double)(wanted + 1);
	free(names);
	return true;
}

static bool examine(const char *path, struct row *row)
{
	const struct hp_function *functions;
	struct listing listing = {NULL, 0, 0};
	void *handle = dlopen(path, RTLD_NOW);
	const struct hp_code *code;
	struct hotpatch_error err;
	double began_ms = now_ms();
	size_t count;

	row->name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (!handle || hp_code_open(path, "", &code, &err) != HOTPATCH_OK)
		return false;
	row->analysed_ms = now_ms() - began_ms;
	functions = hp_code_functions(code, &count);
	count_verdicts(functions, count, row);
	if (!read_listing(path, 0, 0, &listing))
		return false;
	row->wrong = count_wrong(path, &listing, functions, count);
	free(listing.items);
	return redirect_module(handle, functions, count, row);
}

static size_t accepted_of(const struct row *row)
{
	return row->functions - row->refused - row->no_room;
}

static void show(const struct row *row)
{
	printf("| %s | %zu | %zu | %zu | %zu | %zu | %.3f %% | %zu | %.1f | "
	       "%.2f |\n",
	       row->name, row->functions, row->tiers[0] + row->tiers[1],
	       row->tiers[2], row->refused, row->no_room,
	       100.0 * (double)accepted_of(row) / (double)row->functions,
	       row->wrong, row->analysed_ms, row->redirected_us);
}

int main(int count, char **paths)
{
	struct row *rows = calloc((size_t)count, sizeof(*rows));
	struct row sum = {.name = "all"};
	int i;

	if (!rows)
		return EXIT_FAILURE;
	for (i = 1; i < count; i++) {
		if (!examine(paths[i], &rows[i])) {
			fprintf(stderr, "%s cannot be examined\n", paths[i]);
			return EXIT_FAILURE;
		}
		sum.functions += rows[i].functions;
		sum.tiers[1] += rows[i].tiers[0] + rows[i].tiers[1];
		sum.tiers[2] += rows[i].tiers[2];
		sum.refused += rows[i].refused;
		sum.no_room += rows[i].no_room;
		sum.wrong += rows[i].wrong;
		sum.analysed_ms += rows[i].analysed_ms;
	}
	printf("| library | functions | tier 0, 1 | tier 2 | refused | no room "
	       "| accepted | wrong | analysis ms | us a function |\n"
	       "|---|---|---|---|---|---|---|---|---|---|\n");
	for (i = 1; i < count; i++)
		show(&rows[i]);
	show(&sum);
	free(rows);
	return sum.wrong || accepted_of(&sum) * 1000 <
				       sum.functions * ACCEPTED_PER_MILLE ?
		       EXIT_FAILURE :
		       EXIT_SUCCESS;
}
