/* SPDX-License-Identifier: MIT */
/*
 * A patch takes its functions when it is applied, after which a change is open
 * and nobody else can let them go; and it lets them go when that change, or a
 * later one, leaves it off. A function is given back if no patch holds it and
 * the host did not ask for it.
 */
#include "../redirects.h"

#include "../engine.h"
#include "../stage.h"
#include "../status.h"
#include "find.h"
#include "follow.h"
#include "reclaim.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS 250

/* Guarded by the engine's lock. */
static size_t holders;	 /* patches that hold functions */
static size_t followers; /* of these, those of modules that may come and go */
static bool release_due;
static bool leftover; /* something could not be given back when it was due */
static bool polling;  /* by one thread at a time */

static bool has_redirects(const struct hp_manifest *manifest)
{
	size_t i;

	for (i = 0; i < manifest->replace_count; i++)
		if (manifest->replaces[i].redirect)
			return true;
	return false;
}

static bool follows_modules(const struct hotpatch_patch *patch)
{
	const struct hp_manifest *manifest = &patch->manifest;
	const struct hp_replace *replace;
	size_t i;

	for (i = 0; i < manifest->replace_count; i++) {
		replace = &manifest->replaces[i];
		if (replace->redirect &&
		    *hp_target_name(manifest, replace->module))
			return true;
	}
	return false;
}

static enum hotpatch_status no_memory(const struct hotpatch_patch *patch,
				      struct hotpatch_error *err)
{
	const char *name = patch->manifest.name;

	return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, name,
			"no memory for the redirects of %s", name);
}

enum hotpatch_status hp_redirects_check(struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	struct hp_finding finding;
	enum hotpatch_status status;

	if (!has_redirects(&patch->manifest))
		return HOTPATCH_OK;
	patch->redirects = calloc(patch->manifest.replace_count,
				  sizeof(*patch->redirects));
	if (!patch->redirects)
		return no_memory(patch, err);
	hp_redirect_enter();
	status = hp_finding_open(&finding, patch, err) ? hp_find_all(&finding) :
							 no_memory(patch, err);
	hp_redirect_leave();
	hp_finding_close(&finding);
	return status;
}

void hp_redirects_release(struct hotpatch_patch *patch)
{
	free(patch->redirects);
}

/* Notes where the functions of a batch that is done are; under the engine's
 * lock. */
void hp_redirects_note(const struct hp_finding *finding)
{
	struct hp_redirect_place *place;
	const struct hp_batch_item *item;
	size_t i;

	for (i = 0; i < finding->count; i++) {
		item = &finding->items[i];
		place = &finding->patch->redirects[finding->indices[i]];
		place->slot =
			&hp_host_neighbour(item->host, item->function, 0)->slot;
		place->table = item->host->table;
	}
}

static void hold(struct hotpatch_patch *patch)
{
	patch->holds = true;
	holders++;
	followers += follows_modules(patch);
}

static enum hotpatch_status take(struct hp_finding *finding)
{
	enum hotpatch_status status = hp_find_all(finding);

	if (status == HOTPATCH_OK)
		status = hp_batch_change(finding->items, finding->count, true,
					 finding->err);
	if (status != HOTPATCH_OK)
		return status;
	hp_engine_lock();
	hp_redirects_note(finding);
	hold(finding->patch);
	hp_engine_unlock();
	return status;
}

enum hotpatch_status hp_redirects_take(struct hotpatch_patch *patch,
				       struct hotpatch_error *err)
{
	struct hp_finding finding;
	enum hotpatch_status status;

	if (!patch->redirects)
		return HOTPATCH_OK;
	hp_engine_unlock();
	hp_redirect_enter();
	status = hp_finding_open(&finding, patch, err) ? take(&finding) :
							 no_memory(patch, err);
	hp_redirect_leave();
	hp_finding_close(&finding);
	hp_engine_lock();
	/* Where the system refused to take back what it had allowed. */
	release_due |= status != HOTPATCH_OK;
	return status;
}

void hp_redirects_due(void)
{
	release_due = true;
}

void hp_redirects_let_go(struct hotpatch_patch *patch)
{
	release_due |= leftover;
	if (!patch->holds)
		return;
	patch->holds = false;
	holders--;
	followers -= follows_modules(patch);
	memset(patch->redirects, 0,
	       patch->manifest.replace_count * sizeof(*patch->redirects));
	release_due = true;
}

bool hp_redirects_code(const struct hotpatch_slot *slot, uintptr_t *start,
		       uintptr_t *stop)
{
	const struct hp_redirected *record = (const struct hp_redirected *)slot;
	const struct hp_function *function = record->function;

	*start = record->start;
	*stop = record->start + (function->stop - function->start);
	return true;
}

/* ---- Giving back ---- */

/* Marks the records that patches hold, or takes the marks away; under the
 * engine's lock. A slot is the first member of its record. */
static void mark_used(bool used)
{
	const struct hotpatch_patch *patch;
	struct hotpatch_slot *slot;
	size_t i;

	for (patch = hp_patches; patch; patch = patch->next)
		for (i = 0; patch->holds && i < patch->manifest.replace_count;
		     i++) {
			slot = patch->redirects[i].slot;
			if (slot)
				((struct hp_redirected *)slot)->used = used;
		}
}

/* One that another patch replaces by its name has to wait for that one. */
static bool is_idle(const struct hp_redirected *record)
{
	if (!record || !record->on || record->kept || record->used)
		return false;
	leftover |= record->slot.top != NULL;
	return !record->slot.top;
}

/* The host's functions that are to be given back; their number alone if @items
 * is NULL. Under the engine's lock. */
static size_t collect_idle(struct hp_host *host, struct hp_batch_item *items)
{
	struct hp_redirected *record;
	size_t count = 0;
	size_t functions;
	size_t i;

	hp_code_functions(host->code, &functions);
	for (i = 0; host->table->count && i < functions; i++) {
		record = host->records[i];
		if (!is_idle(record))
			continue;
		if (items) {
			items[count].host = host;
			items[count].function = record->function;
			items[count].name.name = record->slot.name;
		}
		count++;
	}
	return count;
}

/* A handle that keeps the host loaded; NULL for the program, and for one that
 * is gone, which *@there then tells. */
static void *pin_host(const struct hp_host *host, bool *there)
{
	void *handle;

	*there = host->facts.program;
	if (host->facts.program)
		return NULL;
	handle = dlopen(host->path, RTLD_LAZY | RTLD_NOLOAD);
	*there = handle && hp_module_opened_at(handle, host->base);
	return handle;
}

/* E_BUSY if it has to be tried again. Whatever else hinders it, the functions
 * stay as they are, with the original as their target. */
static enum hotpatch_status give_back(struct hp_host *host, void **pin)
{
	enum hotpatch_status status;
	struct hp_batch_item *items;
	size_t count;
	bool there;

	*pin = NULL;
	hp_engine_lock();
	mark_used(true);
	count = collect_idle(host, NULL);
	items = count ? calloc(count, sizeof(*items)) : NULL;
	if (items)
		collect_idle(host, items);
	mark_used(false);
	hp_engine_unlock();
	if (!items)
		return count ? HOTPATCH_E_NO_MEMORY : HOTPATCH_OK;
	*pin = pin_host(host, &there);
	status = there ? hp_batch_change(items, count, false, NULL) :
			 HOTPATCH_E_NO_MODULE;
	free(items);
	return status;
}

static void give_all_back(void)
{
	enum hotpatch_status status;
	struct hp_host *host;
	bool failed = false;
	bool busy;
	void *pin;

	hp_engine_lock();
	release_due = false;
	leftover = false;
	hp_engine_unlock();
	busy = !hp_follow_lost();
	for (host = hp_follow_first_host(); host; host = host->next) {
		hp_redirect_enter();
		status = give_back(host, &pin);
		hp_redirect_leave();
		busy |= status == HOTPATCH_E_BUSY;
		failed |= status != HOTPATCH_OK;
		if (pin)
			hp_image_unpin(pin);
	}
	hp_engine_lock();
	release_due |= busy;
	leftover |= failed;
	hp_engine_unlock();
}

/* ---- Polling ---- */

/* Is there anything to do, and is it this thread that does it? */
static bool begin_polling(bool *release, bool *look, bool *reclaim)
{
	bool begun;

	hp_engine_lock();
	*release = release_due;
	*look = followers > 0;
	*reclaim = *release || hp_reclaim_is_due();
	begun = !polling && (*reclaim || *look) &&
		hp_stage_now() == HP_STAGE_NONE;
	polling |= begun;
	hp_engine_unlock();
	return begun;
}

void hp_redirects_poll(void)
{
	bool release;
	bool look;
	bool reclaim;

	if (!begin_polling(&release, &look, &reclaim))
		return;
	if (look)
		hp_follow_modules();
	if (release)
		give_all_back();
	if (reclaim)
		hp_reclaim();
	hp_engine_lock();
	polling = false;
	hp_engine_unlock();
}

int hp_redirects_idle_ms(void)
{
	bool look;

	hp_engine_lock();
	look = followers > 0 || hp_reclaim_is_near();
	hp_engine_unlock();
	return look ? IDLE_MS : -1;
}

void hp_redirects_fork_child(void)
{
	polling = false;
}
