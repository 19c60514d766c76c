/* SPDX-License-Identifier: MIT */
/*
 * Tables are registered by the constructors of their modules, which run with
 * the dynamic loader's lock held; so the loader's lock comes before the
 * engine's, and what needs the loader is asked before the lock is taken.
 */
#include "slot.h"

#include "arch/layout.h"
#include "atomic.h"
#include "descriptor.h"
#include "patch.h"
#include "redirects.h"
#include "status.h"
#include "step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(struct hotpatch_task, seen) == HP_TASK_SEEN, "layout");
_Static_assert(offsetof(struct hotpatch_slot, newest) == HP_SLOT_NEWEST,
	       "layout");
_Static_assert(offsetof(struct hotpatch_slot, view) == HP_SLOT_VIEW, "layout");
_Static_assert(offsetof(struct hotpatch_view, previous) == HP_VIEW_PREVIOUS,
	       "layout");
_Static_assert(offsetof(struct hotpatch_view, next) == HP_VIEW_NEXT, "layout");
_Static_assert(offsetof(struct hotpatch_view, since) == HP_VIEW_SINCE,
	       "layout");

struct hp_module *hp_modules;

/*
 * View records are never freed: a thread in no section may be reading one at
 * any time. A slot keeps its own; those of a module that went are used again.
 */
struct view_block {
	struct view_block *next;
	struct hotpatch_view views[];
};

static struct view_block *view_blocks;
static size_t view_bytes;
static struct hotpatch_view *free_views;

static const char *file_of(const struct hotpatch_slot *slot)
{
	return slot->file ? slot->file : "";
}

static int compare_names(const char *file_a, const char *name_a,
			 const char *file_b, const char *name_b)
{
	int order = strcmp(name_a, name_b);

	return order ? order : strcmp(file_a, file_b);
}

static int compare_slots(const void *a, const void *b)
{
	const struct hotpatch_slot *left = *(struct hotpatch_slot *const *)a;
	const struct hotpatch_slot *right = *(struct hotpatch_slot *const *)b;

	return compare_names(file_of(left), left->name, file_of(right),
			     right->name);
}

struct hp_module *hp_module_create(struct hotpatch_slot *start,
				   struct hotpatch_slot *stop)
{
	struct hp_module *module = calloc(1, sizeof(*module));
	size_t i;

	if (!module)
		return NULL;
	module->start = start;
	module->count = (size_t)(stop - start);
	module->by_name = calloc(module->count + 1, sizeof(*module->by_name));
	if (!module->by_name || !hp_module_find(start, &module->facts)) {
		hp_module_destroy(module);
		return NULL;
	}
	for (i = 0; i < module->count; i++)
		module->by_name[i] = &start[i];
	qsort(module->by_name, module->count, sizeof(*module->by_name),
	      compare_slots);
	return module;
}

struct hp_module *hp_module_create_empty(const void *address)
{
	struct hp_module *module = calloc(1, sizeof(*module));

	if (module && !hp_module_find(address, &module->facts)) {
		free(module);
		return NULL;
	}
	return module;
}

bool hp_module_reserve(struct hp_module *module, size_t count)
{
	struct hotpatch_slot **grown;

	if (module->capacity - module->count >= count)
		return true;
	grown = realloc(module->by_name,
			(module->count + count) * sizeof(*grown));
	if (!grown)
		return false;
	module->by_name = grown;
	module->capacity = module->count + count;
	return true;
}

void hp_module_insert(struct hp_module *module)
{
	struct hp_module **place = &hp_modules;

	while (*place)
		place = &(*place)->next;
	*place = module;
}

struct hp_module *hp_module_at(const struct hotpatch_slot *start)
{
	struct hp_module *module = hp_modules;

	while (module && module->start != start)
		module = module->next;
	return module;
}

void hp_module_remove(struct hp_module *module)
{
	struct hp_module **place = &hp_modules;

	while (*place != module)
		place = &(*place)->next;
	*place = module->next;
	module->next = NULL;
}

void hp_module_destroy(struct hp_module *module)
{
	if (!module)
		return;
	free(module->by_name);
	free(module);
}

static size_t first_at_or_after(const struct hp_module *module,
				const char *file, const char *name)
{
	size_t low = 0;
	size_t high = module->count;
	size_t middle;
	const struct hotpatch_slot *slot;

	while (low < high) {
		middle = low + (high - low) / 2;
		slot = module->by_name[middle];
		if (compare_names(file_of(slot), slot->name, file, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void hp_module_add_slot(struct hp_module *module, struct hotpatch_slot *slot)
{
	size_t index = first_at_or_after(module, file_of(slot), slot->name);

	memmove(&module->by_name[index + 1], &module->by_name[index],
		(module->count - index) * sizeof(*module->by_name));
	module->by_name[index] = slot;
	module->count++;
}

void hp_module_remove_slot(struct hp_module *module,
			   const struct hotpatch_slot *slot)
{
	size_t index = first_at_or_after(module, file_of(slot), slot->name);

	while (module->by_name[index] != slot)
		index++;
	module->count--;
	memmove(&module->by_name[index], &module->by_name[index + 1],
		(module->count - index) * sizeof(*module->by_name));
}

static bool is_named(const struct hp_module *module, size_t index,
		     const char *file, const char *name)
{
	const struct hotpatch_slot *slot;

	if (index >= module->count)
		return false;
	slot = module->by_name[index];
	return compare_names(file_of(slot), slot->name, file, name) == 0;
}

enum hotpatch_status hp_slot_find(const struct hp_module *module,
				  const char *file, const char *name,
				  struct hotpatch_slot **slot)
{
	size_t index = first_at_or_after(module, file, name);

	if (!is_named(module, index, file, name))
		return HOTPATCH_E_NO_SLOT;
	if (is_named(module, index + 1, file, name))
		return HOTPATCH_E_AMBIGUOUS;
	*slot = module->by_name[index];
	return HOTPATCH_OK;
}

void hp_slot_link(struct hotpatch_slot *slot, struct hp_binding *binding)
{
	struct hp_binding **place = &slot->top;

	while (*place && (*place)->patch->order > binding->patch->order)
		place = &(*place)->below;
	binding->slot = slot;
	binding->below = *place;
	*place = binding;
}

void hp_slot_unlink(struct hp_binding *binding)
{
	struct hp_binding **place;

	if (!binding->slot)
		return;
	place = &binding->slot->top;
	while (*place != binding)
		place = &(*place)->below;
	*place = binding->below;
	binding->below = NULL;
	binding->slot = NULL;
}

const struct hp_binding *hp_slot_winner(const struct hotpatch_slot *slot,
					enum hp_side side)
{
	const struct hp_binding *binding = slot->top;

	while (binding && !binding->patch->on[side])
		binding = binding->below;
	return binding;
}

void (*hp_slot_target(const struct hotpatch_slot *slot,
		      enum hp_side side))(void)
{
	const struct hp_binding *winner = hp_slot_winner(slot, side);

	return winner ? winner->function : slot->original;
}

size_t hp_slot_view_bytes(void)
{
	return view_bytes;
}

static struct hotpatch_view *allocate_views(size_t count)
{
	struct view_block *block =
		malloc(sizeof(*block) + count * sizeof(block->views[0]));
	size_t i;

	if (!block)
		return NULL;
	view_bytes += sizeof(*block) + count * sizeof(block->views[0]);
	block->next = view_blocks;
	view_blocks = block;
	for (i = 0; i < count; i++) {
		block->views[i].older = free_views;
		free_views = &block->views[i];
	}
	return free_views;
}

bool hp_slot_reserve_views(size_t count)
{
	struct hotpatch_view *view = free_views;

	for (; view && count; count--)
		view = view->older;
	return count == 0 || allocate_views(count);
}

static struct hotpatch_view *reusable(const struct hotpatch_slot *slot,
				      uint64_t oldest)
{
	struct hotpatch_view *view = slot->views;

	while (view && (view->retired == 0 ||
			(HP_KEEP(RECORD_REST) && view->retired > oldest)))
		view = view->older;
	return view;
}

static void fill_view(struct hotpatch_view *view,
		      const struct hotpatch_slot *slot, uint64_t since)
{
	view->previous = hp_slot_target(slot, HP_OLD_SIDE);
	view->next = hp_slot_target(slot, HP_NEW_SIDE);
	view->since = since;
	view->retired = 0;
}

void hp_slot_stage(struct hotpatch_slot *slot, uint64_t since, uint64_t oldest,
		   enum hp_side newest)
{
	struct hotpatch_view *view = reusable(slot, oldest);

	if (!view) {
		view = free_views;
		free_views = view->older;
		view->older = slot->views;
		slot->views = view;
	}
	/* Relaxed: the release in hp_slot_detour() or hp_slot_settle() comes
	 * before any caller can look at it for this transition. */
	hp_store_relaxed(&slot->newest, hp_slot_target(slot, newest));
	/* Release: pairs with the address dependency in hotpatch_dispatch. A
	 * task that still reads the record before this one finds the same
	 * answer for its view. */
	HP_ORDER(RECORD_BEFORE_VIEW, fill_view(view, slot, since),
		 hp_store_release(&slot->view, view));
}

void hp_slot_detour(struct hotpatch_slot *slot)
{
	/* Release: pairs with the order of loads in hotpatch_dispatch, which
	 * aarch64 needs a fence for; who takes the detour sees the view. */
	hp_store_release(slot->target, slot->dispatch);
}

void hp_slot_settle(struct hotpatch_slot *slot, enum hp_side side)
{
	/* Release: pairs with the address dependency of the jump. */
	hp_store_release(slot->target, hp_slot_target(slot, side));
}

void hp_slot_point_newest(struct hotpatch_slot *slot, enum hp_side side)
{
	/* Relaxed: callers in no section are promised no order; either value
	 * is code that stays mapped while one of them can be in it. */
	hp_store_relaxed(&slot->newest, hp_slot_target(slot, side));
}

void hp_slot_give_views_back(struct hotpatch_slot *slot)
{
	struct hotpatch_view *view;

	while ((view = slot->views)) {
		slot->views = view->older;
		view->older = free_views;
		free_views = view;
	}
}

/* Whose table has the slot; NULL for a redirected function's. */
static const struct hp_module *find_table(const struct hotpatch_slot *slot)
{
	const struct hp_module *module = hp_modules;

	while (module && !(module->start && slot >= module->start &&
			   slot < module->start + module->count))
		module = module->next;
	return module;
}

bool hp_slot_original_code(const struct hotpatch_slot *slot, uintptr_t *start,
			   uintptr_t *stop)
{
	const struct hp_module *table = find_table(slot);

	/* A module that nobody prepared may be gone without a word, so that
	 * nothing of it may be read here. */
	return table ? hp_module_function(&table->facts,
					  (uintptr_t)slot->original, start,
					  stop) :
		       hp_redirects_code(slot, start, stop);
}

void hp_slot_name(const struct hotpatch_slot *slot, char *text, size_t size)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s%s", file_of(slot),
		 slot->file ? ":" : "", slot->name);
	hp_text_copy(text, size, whole);
}

void hp_slot_describe(void)
{
	hp_describe_variable("modules", hp_modules);
	hp_describe_member("module.next", struct hp_module, next);
	hp_describe_member("module.slots", struct hp_module, start);
	hp_describe_member("module.count", struct hp_module, count);
	hp_describe_member("module.by_name", struct hp_module, by_name);
	hp_describe_member("module.name", struct hp_module, facts.name);
	hp_describe("slot.size", sizeof(struct hotpatch_slot));
	hp_describe_member("slot.name", struct hotpatch_slot, name);
	hp_describe_member("slot.file", struct hotpatch_slot, file);
	hp_describe_member("slot.original", struct hotpatch_slot, original);
	hp_describe_member("slot.target", struct hotpatch_slot, target);
	hp_describe_member("slot.top", struct hotpatch_slot, top);
}
