/* SPDX-License-Identifier: MIT */
/*
 * Slots and the tables of the modules they belong to: which functions can be
 * patched, which replacements each has, and what a task of each view gets.
 * Everything here is guarded by the engine's lock, except the targets and
 * views, which callers read at any time.
 */
#ifndef HP_SLOT_H
#define HP_SLOT_H

#include "module.h"

#include <hotpatch/function.h>
#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What hotpatch_dispatch reads for a task in a section: @next if its view is
 * @since or an even distance after it, else @previous. A record belongs to one
 * slot for ever; a new transition uses one that no task can be reading.
 */
struct hotpatch_view {
	void (*previous)(void);
	void (*next)(void);
	uint64_t since;
	uint64_t retired; /* 0 while in use, else free when no view is older */
	struct hotpatch_view *older;
};

/* One replacement of one slot by one patch. @slot is NULL while the module is
 * not loaded. @below became active before. */
struct hp_binding {
	struct hotpatch_patch *patch;
	struct hotpatch_slot *slot;
	struct hp_binding *below;
	void (*function)(void);
	void (*entry)(void);   /* of @slot, for handlers; see contain.c */
	void (*beneath)(void); /* what a repeated call of it runs; likewise */
};

/* @start is NULL for the functions of a module that were redirected, whose
 * slots were made one by one; only @by_name leads to them. */
struct hp_module {
	struct hp_module *next;
	struct hotpatch_slot *start;
	size_t count;
	size_t capacity;		/* of @by_name, where slots are added */
	struct hotpatch_slot **by_name; /* sorted by name, then file */
	struct hp_module_facts facts;
};

enum hp_side {
	HP_OLD_SIDE,
	HP_NEW_SIDE
};

/* The modules with a table, in the order in which they came. */
extern struct hp_module *hp_modules;

/* Takes the table in; NULL without memory. Not under the lock. */
struct hp_module *hp_module_create(struct hotpatch_slot *start,
				   struct hotpatch_slot *stop);
void hp_module_insert(struct hp_module *module);
/* The registered module with this table, or NULL. */
struct hp_module *hp_module_at(const struct hotpatch_slot *start);
void hp_module_remove(struct hp_module *module);
void hp_module_destroy(struct hp_module *module);

/* One without slots, for the module around @address; not under the lock. */
struct hp_module *hp_module_create_empty(const void *address);
/* Makes room for @count more slots; false without memory. */
bool hp_module_reserve(struct hp_module *module, size_t count);
void hp_module_add_slot(struct hp_module *module, struct hotpatch_slot *slot);
void hp_module_remove_slot(struct hp_module *module,
			   const struct hotpatch_slot *slot);

/* @file is "" unless the function is static. E_NO_SLOT, E_AMBIGUOUS. */
enum hotpatch_status hp_slot_find(const struct hp_module *module,
				  const char *file, const char *name,
				  struct hotpatch_slot **slot);

void hp_slot_link(struct hotpatch_slot *slot, struct hp_binding *binding);
void hp_slot_unlink(struct hp_binding *binding);

/* What a task on that side gets. */
void (*hp_slot_target(const struct hotpatch_slot *slot,
		      enum hp_side side))(void);
/* The binding behind it, NULL for the original. */
const struct hp_binding *hp_slot_winner(const struct hotpatch_slot *slot,
					enum hp_side side);

/* Makes sure that hp_slot_stage() finds @count new view records. */
bool hp_slot_reserve_views(size_t count);
/* What all of them take. */
size_t hp_slot_view_bytes(void);
/* The slot is about to go; its records serve others. */
void hp_slot_give_views_back(struct hotpatch_slot *slot);

/*
 * Writes what the tasks of each side get from @since on, into a view record of
 * the slot that no task can be reading, because none has a view older than
 * @oldest; else into a reserved one. Callers in no section get the body of the
 * side @newest.
 */
void hp_slot_stage(struct hotpatch_slot *slot, uint64_t since, uint64_t oldest,
		   enum hp_side newest);
void hp_slot_detour(struct hotpatch_slot *slot);
void hp_slot_settle(struct hotpatch_slot *slot, enum hp_side side);
void hp_slot_point_newest(struct hotpatch_slot *slot, enum hp_side side);

/* The code of the body that was compiled in; false if it cannot be told. */
bool hp_slot_original_code(const struct hotpatch_slot *slot, uintptr_t *start,
			   uintptr_t *stop);

/* For debuggers. */
void hp_slot_describe(void);

/* "name", or "file.c:name" for a static function. */
void hp_slot_name(const struct hotpatch_slot *slot, char *text, size_t size);

#endif
