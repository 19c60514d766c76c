/* SPDX-License-Identifier: MIT */
/*
 * What all shadows of an id have in common while there are any: the type that
 * everybody must mean, and the destructors that its users brought along.
 * Everything here wants the shadow lock.
 */
#ifndef HP_SHADOW_KIND_H
#define HP_SHADOW_KIND_H

#include "shadow.h"

#define HP_SHADOW_TAG_SIZE 64

struct hp_shadow_destructor;

/*
 * @attached:    nodes on @nodes
 * @making:      shadows of it that are being made
 * @destructors: of its users, also NULL, the one used last first
 */
struct hp_shadow_kind {
	struct hp_shadow_kind *next;
	uint64_t key;
	size_t data_size;
	size_t alignment;
	char tag[HP_SHADOW_TAG_SIZE];
	char name[HP_SHADOW_TAG_SIZE];
	size_t attached;
	size_t making;
	struct hp_shadow_destructor *destructors;
	struct hp_shadow_node *nodes;
};

/* NULL if nothing of it is attached or being made. */
struct hp_shadow_kind *hp_shadow_kind_find(uint32_t id);

/* Does everybody mean this type by its id? */
bool hp_shadow_kind_is(const struct hp_shadow_kind *kind,
		       const struct hotpatch_shadow_type *type);

/*
 * The kind of a type that is none other than what the kind is, if there is
 * one; its destructor is the one that detaching uses. NULL without memory. The
 * caller counts what it makes, or calls the function below.
 */
struct hp_shadow_kind *hp_shadow_kind_use(struct hotpatch_shadow_type *type);

/* Once nothing of it is attached, the id is free for another type. */
void hp_shadow_kind_forget_unused(struct hp_shadow_kind *kind);

/* Of the user that attached last. */
void (*hp_shadow_kind_destructor(const struct hp_shadow_kind *kind))(
	void *data, const void *object);

/* A kind that has its destructors between the two addresses only, or NULL. */
const struct hp_shadow_kind *hp_shadow_kind_depending(uintptr_t start,
						      uintptr_t stop);

/* Forgets the destructors there; no kind depends on them. */
void hp_shadow_kind_drop(uintptr_t start, uintptr_t stop);

#endif
