/* SPDX-License-Identifier: MIT */
/*
 * Functions of two modules that can be redirected, what their code looks like,
 * and what is mapped where with which rights. Each test program includes it
 * once.
 */
#ifndef FAULTS_PICTURE_H
#define FAULTS_PICTURE_H

#include "../redirect_shapes.h"
#include "runner.h"

#include "../integration/support.h"

#include <dlfcn.h>
#include <hotpatch/redirect.h>
#include <link.h>

#define MAPPINGS_MAX 512

/* One of each way to make room for a jump; a resolver chooses the last. */
static const struct hotpatch_function_name names[] = {
	{.name = "shape_push_one"},
	{.name = "shape_move_five"},
	{.name = "shape_pair_two"},
	{.name = "shape_landing"},
	{.name = "shape_nops"},
	{.module = "plugin.so", .name = "plugin_plain"},
	{.module = "plugin.so", .name = "plugin_chosen"},
};

#define COUNT (sizeof(names) / sizeof(names[0]))
#define OF_PROGRAM 5
#define PLUGIN "plugin.so"

struct mapping {
	unsigned long start;
	unsigned long stop;
	unsigned long offset;
	unsigned long inode;
	char rights[5];
};

/* What a failure must leave as it was. */
struct picture {
	uint64_t code; /* of both modules, a sum over each of its words */
	struct mapping mappings[MAPPINGS_MAX];
	size_t mapping_count;
	size_t slots;
	struct facts facts;
};

static int (*plain)(int x);
static int (*chosen)(int x);

static inline uint64_t sum_of(uintptr_t start, size_t size)
{
	const uint64_t *words = (const uint64_t *)start;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < size / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15;
	return sum;
}

static inline int add_code(struct dl_phdr_info *info, size_t size, void *sum)
{
	size_t length = strlen(info->dlpi_name);
	bool program = length == 0;
	int i;

	(void)size;
	if (!program &&
	    (length < strlen(PLUGIN) ||
	     strcmp(info->dlpi_name + length - strlen(PLUGIN), PLUGIN) != 0))
		return 0;
	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_flags & PF_X &&
		    info->dlpi_phdr[i].p_type == PT_LOAD)
			*(uint64_t *)sum += sum_of(
				info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
				info->dlpi_phdr[i].p_memsz);
	return 0;
}

/* Does it go on where the one before ends? Changed pages that are equal to the
 * file again stay mappings of their own for the kernel. */
static inline bool continues(const struct mapping *one,
			     const struct mapping *next)
{
	return next->start == one->stop && next->inode == one->inode &&
	       strcmp(next->rights, one->rights) == 0 &&
	       (!one->inode ||
		next->offset - one->offset == next->start - one->start);
}

static inline void add_mapping(struct picture *picture,
			       const struct mapping *mapping)
{
	struct mapping *last = &picture->mappings[picture->mapping_count];

	if (picture->mapping_count && continues(last - 1, mapping)) {
		last[-1].stop = mapping->stop;
		return;
	}
	demand(picture->mapping_count < MAPPINGS_MAX, "too many mappings");
	*last = *mapping;
	picture->mapping_count++;
}

/* Without what grows by itself. */
static inline void take_mappings(struct picture *picture)
{
	FILE *file = fopen("/proc/self/maps", "re");
	struct mapping mapping;
	char line[512];
	int words;

	demand(file != NULL, "no mappings can be seen");
	while (fgets(line, sizeof(line), file)) {
		memset(&mapping, 0, sizeof(mapping));
		words = sscanf(line, "%lx-%lx %4s %lx %*s %lu", &mapping.start,
			       &mapping.stop, mapping.rights, &mapping.offset,
			       &mapping.inode);
		demand(words == 5, "%s", line);
		if (!strstr(line, "[heap]") && !strstr(line, "[stack]"))
			add_mapping(picture, &mapping);
	}
	fclose(file);
}

static inline void take_picture(struct picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	dl_iterate_phdr(add_code, &picture->code);
	/* A sanitizer maps memory of its own as it goes. */
	if (!SANITIZED)
		take_mappings(picture);
	picture->slots = hotpatch_slot_list(NULL, 0);
	picture->facts = facts_now(0);
}

/* What an analysis found, and the records of functions, serve the next time. */
#define SPARE 64

static inline void demand_unchanged(const struct picture *before)
{
	static struct picture now;

	take_picture(&now);
	demand(before->code == now.code, "code has changed");
	demand(before->mapping_count == now.mapping_count,
	       "%zu mappings of %zu", now.mapping_count, before->mapping_count);
	demand(memcmp(before->mappings, now.mappings, sizeof(now.mappings)) ==
		       0,
	       "a mapping has changed");
	demand(before->slots == now.slots, "%zu slots", now.slots);
	demand_same(&before->facts, &now.facts, SPARE);
}

/* What all functions give for 4, and what those in the list give. */
static inline void demand_results(int expected)
{
	bool listed;
	size_t i;
	size_t k;

	for (i = 0; i < SHAPE_COUNT; i++) {
		listed = false;
		for (k = 0; k < OF_PROGRAM; k++)
			listed |= !strcmp(names[k].name, shapes[i].name);
		demand(shapes[i].function(4) == (listed ? expected : 5), "%s",
		       shapes[i].name);
	}
	demand(plain(4) == expected && chosen(4) == expected, "the plugin");
}

static inline void open_plugin(void)
{
	void *module = dlopen(HOTPATCH_TEST_PLUGIN, RTLD_NOW);
	void *symbols[2];

	demand(module != NULL, "no plugin");
	symbols[0] = dlsym(module, "plugin_plain");
	symbols[1] = dlsym(module, "plugin_chosen");
	demand(symbols[0] && symbols[1], "the plugin lacks a function");
	memcpy(&plain, &symbols[0], sizeof(plain));
	memcpy(&chosen, &symbols[1], sizeof(chosen));
}

#endif
