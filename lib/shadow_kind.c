/* SPDX-License-Identifier: MIT */
/*
 * Kinds are few and live as long as there are shadows of them, so a list does.
 * Each of a kind's users may bring a destructor of its own: when the code of
 * one goes, the others' serve its shadows too.
 */
#include "shadow_kind.h"

#include "shadow_table.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

struct hp_shadow_destructor {
	struct hp_shadow_destructor *next;
	void (*function)(void *data, const void *object);
};

static struct hp_shadow_kind *kinds;

struct hp_shadow_kind *hp_shadow_kind_find(uint32_t id)
{
	struct hp_shadow_kind *kind = kinds;

	while (kind && hp_shadow_key_id(kind->key) != id)
		kind = kind->next;
	return kind;
}

bool hp_shadow_kind_is(const struct hp_shadow_kind *kind,
		       const struct hotpatch_shadow_type *type)
{
	return kind->data_size == type->data_size &&
	       kind->alignment == type->alignment &&
	       strcmp(kind->tag, type->tag) == 0;
}

static struct hp_shadow_kind *add_kind(struct hotpatch_shadow_type *type)
{
	struct hp_shadow_kind *kind = calloc(1, sizeof(*kind));

	if (!kind)
		return NULL;
	kind->key = hp_shadow_key(type);
	kind->data_size = type->data_size;
	kind->alignment = type->alignment;
	hp_text_copy(kind->tag, sizeof(kind->tag), type->tag);
	hp_text_copy(kind->name, sizeof(kind->name), type->name);
	kind->next = kinds;
	kinds = kind;
	return kind;
}

/* Once nothing of it is attached, the id is free for another type. */
void hp_shadow_kind_forget_unused(struct hp_shadow_kind *kind)
{
	struct hp_shadow_kind **place = &kinds;
	struct hp_shadow_destructor *destructor;

	if (kind->attached || kind->making)
		return;
	while (*place != kind)
		place = &(*place)->next;
	*place = kind->next;
	while ((destructor = kind->destructors)) {
		kind->destructors = destructor->next;
		free(destructor);
	}
	free(kind);
}

/* Makes it the one that detaching uses; false without memory. */
static bool use_destructor(struct hp_shadow_kind *kind,
			   void (*function)(void *, const void *))
{
	struct hp_shadow_destructor **place = &kind->destructors;
	struct hp_shadow_destructor *destructor;

	while (*place && (*place)->function != function)
		place = &(*place)->next;
	destructor = *place;
	if (destructor)
		*place = destructor->next;
	else
		destructor = malloc(sizeof(*destructor));
	if (!destructor)
		return false;
	destructor->function = function;
	destructor->next = kind->destructors;
	kind->destructors = destructor;
	return true;
}

struct hp_shadow_kind *hp_shadow_kind_use(struct hotpatch_shadow_type *type)
{
	struct hp_shadow_kind *kind = hp_shadow_kind_find(type->id);

	if (!kind)
		kind = add_kind(type);
	if (!kind || use_destructor(kind, type->destructor))
		return kind;
	hp_shadow_kind_forget_unused(kind);
	return NULL;
}

void (*hp_shadow_kind_destructor(const struct hp_shadow_kind *kind))(
	void *data, const void *object)
{
	return kind->destructors->function;
}

static bool lies_in(void (*function)(void *, const void *), uintptr_t start,
		    uintptr_t stop)
{
	return function && (uintptr_t)function - start < stop - start;
}

/* Has the kind a destructor there and none elsewhere? */
static bool depends_on(const struct hp_shadow_kind *kind, uintptr_t start,
		       uintptr_t stop)
{
	const struct hp_shadow_destructor *destructor = kind->destructors;
	bool inside = false;

	for (; destructor; destructor = destructor->next) {
		if (!lies_in(destructor->function, start, stop))
			return false;
		inside = true;
	}
	return inside;
}

static void drop_destructors(struct hp_shadow_kind *kind, uintptr_t start,
			     uintptr_t stop)
{
	struct hp_shadow_destructor **place = &kind->destructors;
	struct hp_shadow_destructor *destructor;

	while ((destructor = *place)) {
		if (lies_in(destructor->function, start, stop)) {
			*place = destructor->next;
			free(destructor);
		} else {
			place = &destructor->next;
		}
	}
}

const struct hp_shadow_kind *hp_shadow_kind_depending(uintptr_t start,
						      uintptr_t stop)
{
	const struct hp_shadow_kind *kind = kinds;

	while (kind && !depends_on(kind, start, stop))
		kind = kind->next;
	return kind;
}

void hp_shadow_kind_drop(uintptr_t start, uintptr_t stop)
{
	struct hp_shadow_kind *kind;

	for (kind = kinds; kind; kind = kind->next)
		drop_destructors(kind, start, stop);
}
