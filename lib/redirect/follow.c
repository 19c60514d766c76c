/* SPDX-License-Identifier: MIT */
/*
 * A module that nobody prepared tells nobody of its coming and going. The
 * loader counts both, so whoever polls compares the counts. One that is gone
 * needs nothing: slots and trampolines are the library's own and stay. Whether
 * it has gone and come again at the same place is told by its bytes, which then
 * are its file's again.
 */
#include "follow.h"

#include "../callback.h"
#include "../engine.h"
#include "../event.h"
#include "../late.h"
#include "../stage.h"
#include "../transition.h"
#include "find.h"
#include "reclaim.h"

#include <link.h>
#include <string.h>

/* What the loader had counted when all modules were looked at; of whoever is
 * polling. */
static unsigned long long seen[2];

/* Is the module at @info the host, with the jump that was written there? */
struct presence {
	const struct hp_host *host;
	const struct hp_redirected *record;
	bool there;
};

static bool has_code(const struct dl_phdr_info *info, uintptr_t address,
		     size_t size)
{
	const ElfW(Phdr) *segment = info->dlpi_phdr;
	uintptr_t offset;
	int i;

	for (i = 0; i < info->dlpi_phnum; i++, segment++) {
		offset = address - info->dlpi_addr - segment->p_vaddr;
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R) &&
		    offset < segment->p_memsz &&
		    size <= segment->p_memsz - offset)
			return true;
	}
	return false;
}

/* The loader does not unmap what it is just showing. */
static int look_for_jump(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct presence *presence = argument;
	const struct hp_redirected *record = presence->record;
	const struct hp_trampoline *trampoline = &record->trampoline;
	uintptr_t head = record->start + record->function->skip;

	(void)size;
	if (info->dlpi_addr != presence->host->base ||
	    !has_code(info, head, trampoline->jump_size))
		return 0;
	presence->there = memcmp((const void *)head, trampoline->jump,
				 trampoline->jump_size) == 0;
	return 1;
}

static struct hp_redirected *next_on(const struct hp_host *host, size_t *index)
{
	struct hp_redirected *record;
	size_t count;

	hp_code_functions(host->code, &count);
	while (*index < count) {
		record = host->records[(*index)++];
		if (record && record->on)
			return record;
	}
	return NULL;
}

static bool is_lost(const struct hp_host *host)
{
	struct presence presence = {.host = host};
	size_t index = 0;

	if (!host->table->count || host->kept || host->facts.program)
		return false;
	presence.record = next_on(host, &index);
	hp_module_walk(look_for_jump, &presence);
	return !presence.there;
}

/* A module with a table of its own announces itself, and runs its callbacks. */
static bool stands_alone(const struct hp_module *table)
{
	const struct hp_module *module;

	for (module = hp_modules; module; module = module->next)
		if (module->start &&
		    !strcmp(module->facts.build_id, table->facts.build_id))
			return false;
	return true;
}

static void forget_binding(struct hp_binding *binding)
{
	struct hotpatch_patch *patch = binding->patch;
	size_t index = (size_t)(binding - patch->bindings);

	hp_slot_unlink(binding);
	if (patch->redirects)
		patch->redirects[index] =
			(struct hp_redirect_place){.slot = NULL};
}

/* Its slots stay, so whoever still looks at one finds the original. */
static void forget_slots(struct hp_host *host)
{
	struct hp_redirected *record;
	size_t index = 0;

	while ((record = next_on(host, &index))) {
		while (record->slot.top)
			forget_binding(record->slot.top);
		hp_slot_settle(&record->slot, HP_NEW_SIDE);
		hp_module_remove_slot(host->table, &record->slot);
		record->on = false;
	}
	hp_module_remove(host->table);
}

/* False if it has to be tried again. A change that begins while its callbacks
 * run does no harm: to it, the functions just go. */
static bool lose(struct hp_host *host)
{
	bool alone;
	bool lost;

	hp_engine_lock();
	if (hp_stage_now() != HP_STAGE_NONE) {
		hp_engine_unlock();
		return false;
	}
	alone = stands_alone(host->table);
	if (alone)
		hp_late_goes(host->table);
	hp_engine_unlock();
	hp_redirect_enter();
	lost = is_lost(host);
	hp_engine_lock();
	if (lost) {
		forget_slots(host);
		hp_event(HOTPATCH_PHASE_MODULE_WENT, HOTPATCH_OK, NULL,
			 host->facts.name);
	}
	hp_engine_unlock();
	hp_redirect_leave();
	if (lost)
		hp_reclaim_due();
	hp_engine_lock();
	if (alone)
		hp_late_gone(host->table);
	else
		hp_callback_module_went(host->table);
	hp_engine_unlock();
	return true;
}

/* Hosts are never freed, and new ones come in front. */
struct hp_host *hp_follow_first_host(void)
{
	struct hp_host *host;

	hp_redirect_enter();
	host = hp_host_first();
	hp_redirect_leave();
	return host;
}

bool hp_follow_lost(void)
{
	struct hp_host *host;
	bool complete = true;
	bool lost;

	for (host = hp_follow_first_host(); host; host = host->next) {
		hp_redirect_enter();
		lost = is_lost(host);
		hp_redirect_leave();
		if (lost)
			complete &= lose(host);
	}
	return complete;
}

/* One patch and one of the modules that it waits for. */
struct arrival {
	struct hotpatch_patch *patch;
	const char *name;
	struct hp_target_search search;
	struct hp_module *table; /* NULL as long as there is nothing to do */
	bool announced;		 /* it has no table that did that */
};

static bool waits_for(const struct hotpatch_patch *patch, const char *name,
		      uintptr_t base)
{
	const struct hp_manifest *manifest = &patch->manifest;
	const struct hp_replace *replace;
	size_t i;

	for (i = 0; i < manifest->replace_count; i++) {
		replace = &manifest->replaces[i];
		if (replace->redirect && !patch->redirects[i].slot &&
		    patch->redirects[i].refused != base &&
		    !strcmp(hp_target_name(manifest, replace->module), name))
			return true;
	}
	return false;
}

/* Said once of each module that comes. */
static void refuse(struct arrival *arrival, const struct hotpatch_error *err)
{
	struct hotpatch_patch *patch = arrival->patch;
	const struct hp_replace *replace;
	size_t i;

	hp_engine_lock();
	for (i = 0; i < patch->manifest.replace_count; i++) {
		replace = &patch->manifest.replaces[i];
		if (replace->redirect && !patch->redirects[i].slot &&
		    !strcmp(hp_target_name(&patch->manifest, replace->module),
			    arrival->name))
			patch->redirects[i].refused =
				arrival->search.facts.base;
	}
	hp_event(HOTPATCH_PHASE_REFUSED, err->status, patch->manifest.name,
		 err->object);
	hp_engine_unlock();
}

/* Is there something to do, and for which table? */
static enum hotpatch_status look_for(struct arrival *arrival,
				     struct hotpatch_error *err)
{
	struct hp_finding finding;
	enum hotpatch_status status = HOTPATCH_E_NO_MEMORY;

	arrival->table = NULL;
	hp_redirect_enter();
	if (hp_finding_open(&finding, arrival->patch, err))
		status = hp_find_in(&finding, arrival->name, &arrival->search);
	hp_redirect_leave();
	if (status == HOTPATCH_OK && finding.count)
		arrival->table = finding.items[0].host->table;
	hp_finding_close(&finding);
	return status;
}

/* The functions of the module get their place in the patch, or give it up
 * again; under the lock. */
static enum hotpatch_status bind_arrival(const struct hp_finding *finding,
					 struct arrival *arrival)
{
	struct hotpatch_patch *patch = arrival->patch;
	enum hotpatch_status status;
	size_t index;
	size_t i;

	if (patch->state != HOTPATCH_ACTIVE || !patch->holds ||
	    hp_stage_now() != HP_STAGE_NONE) {
		hp_redirects_due();
		return HOTPATCH_E_BUSY;
	}
	hp_redirects_note(finding);
	status = hp_patch_bind(patch, arrival->table, finding->err);
	for (i = 0; i < finding->count; i++) {
		index = finding->indices[i];
		if (status == HOTPATCH_OK)
			hp_transition_slot_came(patch->redirects[index].slot);
		else
			forget_binding(&patch->bindings[index]);
	}
	if (status != HOTPATCH_OK)
		hp_redirects_due();
	return status;
}

static enum hotpatch_status redirect_arrival(struct arrival *arrival,
					     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_E_NO_MEMORY;
	struct hp_finding finding;
	bool fresh = false;

	hp_redirect_enter();
	if (hp_finding_open(&finding, arrival->patch, err))
		status = hp_find_in(&finding, arrival->name, &arrival->search);
	if (status == HOTPATCH_OK && finding.count) {
		fresh = !finding.items[0].host->table->count;
		arrival->table = finding.items[0].host->table;
		status = hp_batch_change(finding.items, finding.count, true,
					 err);
	}
	hp_engine_lock();
	if (status == HOTPATCH_OK && finding.count) {
		if (fresh)
			hp_event(HOTPATCH_PHASE_MODULE_CAME, HOTPATCH_OK, NULL,
				 arrival->search.facts.name);
		status = bind_arrival(&finding, arrival);
	}
	hp_engine_unlock();
	hp_redirect_leave();
	hp_finding_close(&finding);
	return status;
}

/* The callbacks for the module around it: false if its prepare refuses. */
static bool announce(struct arrival *arrival)
{
	bool wanted;

	hp_engine_lock();
	arrival->announced = stands_alone(arrival->table) &&
			     !arrival->table->count;
	if (arrival->announced)
		hp_late_comes(arrival->table);
	wanted = !hp_late_has_refused(arrival->patch, arrival->table);
	hp_engine_unlock();
	return wanted;
}

/* False if it has to be tried again. */
static bool bring(struct arrival *arrival)
{
	struct hotpatch_error err = {.object = ""};
	enum hotpatch_status status = look_for(arrival, &err);

	if (status == HOTPATCH_OK && !arrival->table)
		return true;
	if (status == HOTPATCH_OK && !announce(arrival))
		return true;
	if (status == HOTPATCH_OK)
		status = redirect_arrival(arrival, &err);
	hp_engine_lock();
	if (arrival->announced && status == HOTPATCH_OK)
		hp_late_bound(arrival->table);
	else if (arrival->announced)
		hp_late_gone(arrival->table);
	hp_engine_unlock();
	if (status != HOTPATCH_OK && status != HOTPATCH_E_BUSY)
		refuse(arrival, &err);
	return status != HOTPATCH_E_BUSY;
}

static bool bring_modules(struct hotpatch_patch *patch)
{
	const struct hp_manifest *manifest = &patch->manifest;
	struct arrival arrival = {.patch = patch};
	bool complete = true;
	size_t i;

	for (i = 0; i < manifest->target_count; i++) {
		arrival.name = manifest->targets[i].module;
		arrival.announced = false;
		hp_loader_enter();
		hp_target_find(manifest, arrival.name, &arrival.search);
		hp_loader_leave();
		if ((arrival.search.target || arrival.search.other) &&
		    waits_for(patch, arrival.name, arrival.search.facts.base))
			complete &= bring(&arrival);
	}
	return complete;
}

/* The next patch that is on after @last, in the order of opening, with a
 * reference; that of @last is given back. */
static struct hotpatch_patch *next_holder(struct hotpatch_patch *last)
{
	struct hotpatch_patch *patch;

	hp_engine_lock();
	patch = last ? last->next : hp_patches;
	while (patch && !(patch->holds && patch->state == HOTPATCH_ACTIVE))
		patch = patch->next;
	if (patch)
		patch->references++;
	if (last)
		last->references--;
	hp_engine_unlock();
	return patch;
}

static int read_counts(struct dl_phdr_info *info, size_t size, void *argument)
{
	unsigned long long *counts = argument;

	(void)size;
	counts[0] = info->dlpi_adds;
	counts[1] = info->dlpi_subs;
	return 1;
}

void hp_follow_modules(void)
{
	struct hotpatch_patch *patch = NULL;
	unsigned long long counts[2] = {0, 0};
	bool complete;

	hp_loader_enter();
	hp_module_walk(read_counts, counts);
	hp_loader_leave();
	if (counts[0] == seen[0] && counts[1] == seen[1])
		return;
	complete = hp_follow_lost();
	while ((patch = next_holder(patch)))
		complete &= bring_modules(patch);
	if (complete)
		memcpy(seen, counts, sizeof(seen));
}
