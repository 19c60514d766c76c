/* SPDX-License-Identifier: MIT */
/*
 * A module is known by its build-id; its name only tells whether another build
 * of it is there instead.
 */
#include "target.h"

#include "status.h"

#include <string.h>

struct walk {
	const struct hp_manifest *manifest;
	const char *name;
	struct hp_target_search *search;
};

static bool is_named(const struct hp_module_facts *facts, const char *name)
{
	return *name ? !strcmp(facts->name, name) : facts->program;
}

static bool visit(void *context, const struct hp_module_facts *facts,
		  const char *path)
{
	const struct walk *walk = context;
	struct hp_target_search *search = walk->search;
	const struct hp_target *target;
	size_t i;

	for (i = 0; i < walk->manifest->target_count; i++) {
		target = &walk->manifest->targets[i];
		if (strcmp(target->module, walk->name) != 0)
			continue;
		if (!strcmp(target->build_id, facts->build_id)) {
			search->target = target;
			search->facts = *facts;
			hp_text_copy(search->path, sizeof(search->path), path);
			return true;
		}
		if (!is_named(facts, walk->name))
			continue;
		search->other = true;
		search->facts = *facts;
	}
	return false;
}

const char *hp_target_name(const struct hp_manifest *manifest,
			   const char *module)
{
	return *module ? module : manifest->targets[0].module;
}

void hp_target_find(const struct hp_manifest *manifest, const char *name,
		    struct hp_target_search *search)
{
	struct walk walk = {manifest, name, search};

	search->target = NULL;
	search->other = false;
	hp_module_each(visit, &walk);
}
