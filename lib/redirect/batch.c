/* SPDX-License-Identifier: MIT */
/*
 * All that can fail is done before anything is visible: trampolines are built,
 * the changed pages prepared, room is made in the engine's table. Then the
 * pages of each module are exchanged in one step; since every target is the
 * original at first, and at last, it makes no difference to a caller when that
 * is.
 */
#include "batch.h"

#include "../callback.h"
#include "../engine.h"
#include "../stage.h"
#include "../status.h"
#include "exchange.h"
#include "host.h"
#include "list.h"
#include "reclaim.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* @items are sorted by address, so those of one module lie together. */
struct batch {
	struct hp_space space;
	struct hp_list storage;
	struct hp_exchange_item *items;
	size_t count;
	struct hp_description *descriptions;
	bool on;	  /* what the functions become */
	bool kept;	  /* by the host's wish, which keeps modules loaded */
	bool was_visible; /* see struct hp_exchange */
	struct hotpatch_error *err;
};

static enum hotpatch_status refuse(const struct batch *batch,
				   const struct hp_exchange_item *item,
				   enum hotpatch_status status, const char *why)
{
	const char *name = item->record->slot.name;

	return hp_error(batch->err, status, 0, name, "%s in %s: %s", name,
			item->host->facts.name, why);
}

static enum hotpatch_status no_memory(const struct batch *batch)
{
	return hp_error(batch->err, HOTPATCH_E_NO_MEMORY, 0, "redirect",
			"no memory to redirect functions or release them");
}

static int compare_items(const void *a, const void *b)
{
	const struct hp_exchange_item *one = a;
	const struct hp_exchange_item *other = b;

	return one->record->start < other->record->start ?
		       -1 :
		       one->record->start > other->record->start;
}

/* Leaves out what is as wished, and what was named twice. */
static void unite_items(struct batch *batch)
{
	size_t kept = 0;
	size_t i;

	if (batch->count > 1)
		qsort(batch->items, batch->count, sizeof(*batch->items),
		      compare_items);
	for (i = 0; i < batch->count; i++) {
		if (batch->items[i].record->on == batch->on ||
		    (kept &&
		     batch->items[kept - 1].record == batch->items[i].record))
			continue;
		batch->items[kept++] = batch->items[i];
	}
	batch->count = kept;
}

static enum hotpatch_status take_items(struct batch *batch,
				       const struct hp_batch_item *wanted,
				       size_t count)
{
	struct hp_exchange_item *item;
	size_t i;

	batch->items = hp_list_append(&batch->storage, sizeof(*batch->items),
				      count + 1);
	if (!batch->items)
		return no_memory(batch);
	for (i = 0; i < count; i++) {
		item = &batch->items[batch->count];
		item->fresh = false;
		item->host = wanted[i].host;
		item->record = hp_host_record(
			wanted[i].host, wanted[i].function, &wanted[i].name);
		if (!item->record)
			return no_memory(batch);
		batch->count++;
	}
	return HOTPATCH_OK;
}

/* Do the jumps of two functions share a byte that one of them writes? */
static bool overlaps(const struct hp_redirected *one,
		     const struct hp_redirected *other)
{
	uintptr_t a = hp_exchange_head(one);
	uintptr_t b = hp_exchange_head(other);

	return (a < b + other->trampoline.extent &&
		b < a + one->trampoline.jump_size) ||
	       (b < a + one->trampoline.extent &&
		a < b + other->trampoline.jump_size);
}

static bool is_in_the_way(const struct hp_redirected *neighbour,
			  const struct hp_redirected *record)
{
	return neighbour && neighbour->on && overlaps(neighbour, record);
}

static enum hotpatch_status
check_neighbours(const struct batch *batch, const struct hp_exchange_item *item)
{
	const struct hp_function *function = item->record->function;
	ptrdiff_t step;

	for (step = 1; step < HP_EDIT_SIZE; step++)
		if (is_in_the_way(hp_host_neighbour(item->host, function, step),
				  item->record) ||
		    is_in_the_way(hp_host_neighbour(item->host, function,
						    -step),
				  item->record))
			return refuse(batch, item, HOTPATCH_E_OVERLAP,
				      "the jump of a function beside it needs "
				      "the same bytes");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_refusal(const struct batch *batch,
					  const struct hp_exchange_item *item)
{
	enum hotpatch_refusal refusal =
		(enum hotpatch_refusal)item->record->function->refusal;

	if (refusal == HOTPATCH_REFUSAL_NONE)
		return HOTPATCH_OK;
	return refuse(batch, item, HOTPATCH_E_IMMUTABLE,
		      hotpatch_refusal_text(refusal));
}

/* What is written, what is moved, and what both jumps rely on. */
static enum hotpatch_status check_bytes(const struct batch *batch,
					const struct hp_exchange_item *item)
{
	const struct hp_redirected *record = item->record;
	const struct hp_function *function = record->function;
	size_t compared = function->length;

	if (compared < record->trampoline.extent)
		compared = record->trampoline.extent;
	if (memcmp((const void *)record->start, function->bytes,
		   function->skip + compared) == 0)
		return HOTPATCH_OK;
	return refuse(batch, item, HOTPATCH_E_FOREIGN,
		      "its first bytes are not those of its file; a debugger "
		      "or another tool was there");
}

/* What stands there is what was written: else it would be lost, and come back
 * when a debugger takes its breakpoint out. */
static enum hotpatch_status check_jumps(const struct batch *batch)
{
	const struct hp_redirected *record;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		record = batch->items[i].record;
		if (memcmp((const void *)hp_exchange_head(record),
			   record->trampoline.jump,
			   record->trampoline.extent) != 0)
			return refuse(batch, &batch->items[i],
				      HOTPATCH_E_FOREIGN,
				      "its jump was changed; a debugger or "
				      "another tool was there");
	}
	return HOTPATCH_OK;
}

static enum hotpatch_status build_item(struct batch *batch,
				       struct hp_exchange_item *item)
{
	struct hp_redirected *record = item->record;
	struct hotpatch_slot *slot = &record->slot;
	enum hotpatch_status status;

	if (record->built) {
		hp_trampoline_use(&record->trampoline);
		return HOTPATCH_OK;
	}
	status = hp_trampoline_build(&batch->space, record->function,
				     record->start, slot, &record->trampoline);
	if (status != HOTPATCH_OK)
		return refuse(batch, item, status,
			      status == HOTPATCH_E_TEXT ?
				      strerror(errno) :
				      hotpatch_status_text(status));
	item->fresh = true;
	record->built = true;
	hp_trampoline_use(&record->trampoline);
	slot->target = record->trampoline.target;
	slot->original = (void (*)(void))record->trampoline.original;
	slot->dispatch = (void (*)(void))record->trampoline.dispatch;
	return HOTPATCH_OK;
}

/* In the reverse order of building. Once a jump was visible somebody may be in
 * what it leads to; then all stays until that is proven wrong. */
static void unbuild(struct batch *batch)
{
	struct hp_redirected *record;
	size_t i;

	if (batch->was_visible) {
		hp_reclaim_due();
		return;
	}
	hp_trampoline_forget(batch->descriptions);
	for (i = batch->count; i-- > 0;) {
		record = batch->items[i].record;
		if (!batch->items[i].fresh)
			continue;
		hp_trampoline_undo(&batch->space, &record->trampoline);
		record->built = false;
	}
	hp_trampoline_abandon();
}

static enum hotpatch_status write_code(const struct batch *batch)
{
	if (hp_trampoline_write(&batch->space))
		return HOTPATCH_OK;
	return hp_error(batch->err, HOTPATCH_E_TEXT, errno, "/proc/self/mem",
			"code cannot be written: %s", strerror(errno));
}

static enum hotpatch_status describe(struct batch *batch)
{
	struct hp_trampoline **fresh =
		calloc(batch->count + 1, sizeof(struct hp_trampoline *));
	size_t count = 0;
	bool complete = false;
	size_t i;

	if (fresh) {
		for (i = 0; i < batch->count; i++)
			if (batch->items[i].fresh)
				fresh[count++] =
					&batch->items[i].record->trampoline;
		complete = hp_trampoline_describe(fresh, count,
						  &batch->descriptions);
	}
	free(fresh);
	return complete ? HOTPATCH_OK : no_memory(batch);
}

/* Keeps the batch's modules loaded. @batch has all of its functions. */
static enum hotpatch_status pin_hosts(struct batch *batch)
{
	struct hp_host *host;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		host = batch->items[i].host;
		if (host->pin || host->facts.program)
			continue;
		host->pin = dlopen(host->path, RTLD_NOW | RTLD_NOLOAD);
		if (!host->pin)
			return refuse(batch, &batch->items[i],
				      HOTPATCH_E_NO_MODULE,
				      "the module cannot be kept loaded");
	}
	return HOTPATCH_OK;
}

/* Lets those go in which nothing is kept any more. */
static void unpin_hosts(struct batch *batch)
{
	struct hp_host *host;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		host = batch->items[i].host;
		if (!host->pin || host->kept)
			continue;
		dlclose(host->pin);
		host->pin = NULL;
	}
}

static enum hotpatch_status reserve_slots(struct batch *batch)
{
	bool complete = true;
	size_t run;
	size_t i;

	hp_engine_lock();
	for (i = 0; i < batch->count && complete; i += run) {
		run = hp_exchange_run(batch->items, batch->count, i);
		complete = hp_module_reserve(batch->items[i].host->table, run);
	}
	hp_engine_unlock();
	return complete ? HOTPATCH_OK : no_memory(batch);
}

/* Those that are redirected, whatever was wished: there is room for them. */
static void enlist_slots(struct batch *batch)
{
	struct hp_host *host;
	size_t i;

	hp_engine_lock();
	for (i = 0; i < batch->count; i++) {
		if (!batch->items[i].record->on)
			continue;
		host = batch->items[i].host;
		if (!host->table->count) {
			hp_module_insert(host->table);
			hp_callback_module_came(host->table);
		}
		hp_module_add_slot(host->table, &batch->items[i].record->slot);
	}
	hp_engine_unlock();
}

static enum hotpatch_status exchange_all(struct batch *batch)
{
	struct hp_exchange exchange = {
		.space = &batch->space,
		.items = batch->items,
		.count = batch->count,
		.on = batch->on,
		.err = batch->err,
	};
	enum hotpatch_status status = hp_exchange(&exchange);

	batch->was_visible = exchange.was_visible;
	return status;
}

static enum hotpatch_status prepare_batch(struct batch *batch)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	hp_trampoline_begin(batch->count);
	for (i = 0; i < batch->count && !status; i++) {
		status = check_refusal(batch, &batch->items[i]);
		if (status == HOTPATCH_OK)
			status = build_item(batch, &batch->items[i]);
		if (status == HOTPATCH_OK)
			status = check_neighbours(batch, &batch->items[i]);
		if (status == HOTPATCH_OK)
			status = check_bytes(batch, &batch->items[i]);
		/* Already, so that the next one sees its bytes as taken. */
		batch->items[i].record->on = !status;
	}
	for (i = 0; i < batch->count; i++)
		batch->items[i].record->on = false;
	if (status == HOTPATCH_OK)
		status = write_code(batch);
	if (status == HOTPATCH_OK)
		status = describe(batch);
	if (status == HOTPATCH_OK)
		status = reserve_slots(batch);
	return status;
}

static enum hotpatch_status redirect_batch(struct batch *batch)
{
	enum hotpatch_status status = prepare_batch(batch);

	if (status == HOTPATCH_OK)
		status = exchange_all(batch);
	enlist_slots(batch);
	if (status != HOTPATCH_OK)
		unbuild(batch);
	return status;
}

/* Takes the slots out of the engine's table, if no patch has to do with
 * them. */
static enum hotpatch_status delist_slots(struct batch *batch)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_module *table;
	struct hotpatch_slot *slot;
	size_t i;

	hp_engine_lock();
	if (hp_stage_now() != HP_STAGE_NONE)
		status = hp_error(batch->err, HOTPATCH_E_BUSY, 0, "transition",
				  "a transition is running");
	for (i = 0; i < batch->count && !status; i++) {
		slot = &batch->items[i].record->slot;
		if (slot->top)
			status = refuse(batch, &batch->items[i],
					HOTPATCH_E_IN_USE,
					"a patch replaces it");
	}
	for (i = 0; i < batch->count && !status; i++) {
		table = batch->items[i].host->table;
		hp_module_remove_slot(table, &batch->items[i].record->slot);
		if (!table->count) {
			hp_module_remove(table);
			hp_callback_module_went(table);
		}
	}
	hp_engine_unlock();
	return status;
}

static enum hotpatch_status release_batch(struct batch *batch)
{
	enum hotpatch_status status = check_jumps(batch);

	if (status == HOTPATCH_OK)
		status = delist_slots(batch);
	if (status != HOTPATCH_OK)
		return status;
	status = exchange_all(batch);
	enlist_slots(batch);
	if (batch->was_visible)
		hp_reclaim_due();
	return status;
}

static void mark_kept(struct batch *batch)
{
	struct hp_redirected *record;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		record = batch->items[i].record;
		if (record->kept == batch->on)
			continue;
		record->kept = batch->on;
		batch->items[i].host->kept += batch->on ? 1 : (size_t)-1;
	}
}

/* All of the functions, then those of them that change. */
static enum hotpatch_status change_items(struct batch *batch)
{
	struct batch changing = *batch;
	enum hotpatch_status status = HOTPATCH_OK;

	changing.items = calloc(batch->count + 1, sizeof(*changing.items));
	if (!changing.items)
		return no_memory(batch);
	memcpy(changing.items, batch->items,
	       batch->count * sizeof(*changing.items));
	unite_items(&changing);
	if (changing.count)
		status = batch->on ? redirect_batch(&changing) :
				     release_batch(&changing);
	batch->space = changing.space;
	free(changing.items);
	return status;
}

static enum hotpatch_status run(struct batch *batch,
				const struct hp_batch_item *items, size_t count)
{
	enum hotpatch_status status;

	if (!hp_space_open(&batch->space))
		return hp_error(batch->err,
				errno == ENOMEM ? HOTPATCH_E_NO_MEMORY :
						  HOTPATCH_E_TEXT,
				errno, "/proc/self/mem",
				"code can only be changed through /proc: %s",
				strerror(errno));
	status = take_items(batch, items, count);
	if (status == HOTPATCH_OK && batch->kept && batch->on)
		status = pin_hosts(batch);
	if (status == HOTPATCH_OK)
		status = change_items(batch);
	if (status == HOTPATCH_OK && batch->kept)
		mark_kept(batch);
	if (batch->kept)
		unpin_hosts(batch);
	hp_reclaim_count();
	hp_space_close(&batch->space);
	free(batch->storage.items);
	return status;
}

enum hotpatch_status hp_batch_change(const struct hp_batch_item *items,
				     size_t count, bool on,
				     struct hotpatch_error *err)
{
	struct batch batch = {.on = on, .err = err};

	return run(&batch, items, count);
}

enum hotpatch_status hp_batch_run(const struct hotpatch_function_name *names,
				  size_t count, bool on,
				  struct hotpatch_error *err)
{
	struct batch batch = {.on = on, .kept = true, .err = err};
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_batch_item *items = calloc(count + 1, sizeof(*items));
	size_t i;

	batch.count = count;
	if (!items)
		return no_memory(&batch);
	batch.count = 0;
	for (i = 0; i < count && status == HOTPATCH_OK; i++) {
		items[i].name = names[i];
		items[i].host = i ? items[i - 1].host : NULL;
		status = hp_host_find(&names[i], &items[i].host,
				      &items[i].function, err);
	}
	if (status == HOTPATCH_OK)
		status = run(&batch, items, count);
	free(items);
	return status;
}
