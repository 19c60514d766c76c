/* SPDX-License-Identifier: MIT */
/*
 * Which of the mapped modules is one of the builds that a bundle is for. Calls
 * the dynamic loader, so never under the engine's lock.
 */
#ifndef HP_TARGET_H
#define HP_TARGET_H

#include "manifest.h"
#include "module.h"

#include <limits.h>
#include <stdbool.h>

/*
 * @target: that the module is, NULL if none is mapped
 * @facts:  of it, or of @other
 * @path:   what the loader knows it by, "" for the program
 * @other:  there is one of that name, but of another build
 */
struct hp_target_search {
	const struct hp_target *target;
	struct hp_module_facts facts;
	char path[PATH_MAX];
	bool other;
};

/* What a replacement or an import says of its module, as targets are named. */
const char *hp_target_name(const struct hp_manifest *manifest,
			   const char *module);

/* Looks for the manifest's targets called @name, "" for the program. Wants the
 * loader to be entered. */
void hp_target_find(const struct hp_manifest *manifest, const char *name,
		    struct hp_target_search *search);

#endif
