/* SPDX-License-Identifier: MIT */
/*
 * Attaching, detaching and looking at all. A shadow that is being made is on a
 * list of its own, on the stack of who makes it, so that its constructor runs
 * without the lock and yet once.
 */
#include "shadow.h"

#include "engine.h"
#include "event.h"
#include "image.h"
#include "shadow_kind.h"
#include "shadow_table.h"
#include "status.h"
#include "task.h"

#include <hotpatch/section.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_ALIGNMENT 4096
#define PLAIN_ALIGNMENT 16 /* of calloc() */

_Static_assert(sizeof(struct hp_shadow_node) % PLAIN_ALIGNMENT == 0,
	       "data after a node is aligned");

/* What a caller wants, and, while it is being made, the entry that others
 * wait for. */
struct request {
	struct hotpatch_shadow_type *type;
	uint64_t key;
	void *object;
	void *argument;
	bool may_exist;
	struct hotpatch_error *err;
	struct hp_shadow_kind *kind; /* while it is being made */
	pthread_t maker;
	struct request *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t made = PTHREAD_COND_INITIALIZER;
static struct request *being_made;
static size_t making_count;
static __thread bool constructs;

void hp_shadow_lock(void)
{
	pthread_mutex_lock(&lock);
}

void hp_shadow_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

bool hp_shadow_constructs(void)
{
	return constructs;
}

static void *data_of(struct hp_shadow_node *node)
{
	return node + 1;
}

static struct hp_shadow_node *node_of(void *data)
{
	return (struct hp_shadow_node *)data - 1;
}

/* All zeros; the object and the kind are set when it is attached. */
static struct hp_shadow_node *make_node(const struct hotpatch_shadow_type *type)
{
	size_t alignment = type->alignment;
	struct hp_shadow_node *node;
	uintptr_t data;
	void *block;

	if (alignment < PLAIN_ALIGNMENT)
		alignment = PLAIN_ALIGNMENT;
	block = calloc(1, sizeof(*node) + type->data_size + alignment -
				  PLAIN_ALIGNMENT);
	if (!block)
		return NULL;
	data = ((uintptr_t)block + sizeof(*node) + alignment - 1) &
	       ~(uintptr_t)(alignment - 1);
	node = node_of((void *)data);
	node->block = block;
	return node;
}

static enum hotpatch_status no_memory(const struct request *request)
{
	return hp_error(request->err, HOTPATCH_E_NO_MEMORY, 0,
			request->type->name, "no memory to attach %s",
			request->type->name);
}

static enum hotpatch_status other_type(const struct request *request,
				       const struct hp_shadow_kind *kind)
{
	const struct hotpatch_shadow_type *type = request->type;

	return hp_error(request->err, HOTPATCH_E_SHADOW_TYPE, 0, type->name,
			"shadows of id %#x are %s of %zu bytes, %s wants %s of "
			"%zu bytes",
			(unsigned int)type->id, kind->tag, kind->data_size,
			type->name, type->tag, type->data_size);
}

/* ---- Attaching ---- */

static bool is_type(const struct hotpatch_shadow_type *type)
{
	return type && type->size == sizeof(*type) && type->name && type->tag &&
	       strlen(type->tag) < HP_SHADOW_TAG_SIZE && type->data_size > 0 &&
	       type->data_size <= PTRDIFF_MAX / 2 && type->alignment > 0 &&
	       type->alignment <= LARGEST_ALIGNMENT &&
	       (type->alignment & (type->alignment - 1)) == 0;
}

static bool is_object(const void *object)
{
	return (uintptr_t)object != HP_SHADOW_FREE &&
	       (uintptr_t)object != HP_SHADOW_GONE;
}

static enum hotpatch_status check_request(const struct request *request)
{
	if (!is_type(request->type) || !is_object(request->object))
		return hp_error(request->err, HOTPATCH_E_ARGUMENT, 0, "shadow",
				"a type from HOTPATCH_SHADOW() and the address "
				"of an object are wanted");
	if (constructs || hp_image_in_callback())
		return hp_error(request->err, HOTPATCH_E_IN_CALLBACK, 0,
				request->type->name,
				"%s cannot be attached by a constructor",
				request->type->name);
	return hp_engine_check(request->err);
}

static bool is_being_made(const struct request *request)
{
	const struct request *other = being_made;

	while (other && (other->object != request->object ||
			 other->type->id != request->type->id))
		other = other->next;
	return other != NULL;
}

/* There is one. */
static enum hotpatch_status take_found(const struct request *request,
				       const struct hp_shadow_sight *sight,
				       void **data)
{
	const struct hotpatch_shadow_type *type = request->type;

	if (!hp_shadow_kind_is(node_of(sight->data)->kind, type))
		return other_type(request, node_of(sight->data)->kind);
	if (hp_shadow_debugging() && type->birth &&
	    type->birth(request->object) != sight->birth) {
		hp_shadow_tell_stale(type, request->object);
		return hp_error(request->err, HOTPATCH_E_SHADOW_STALE, 0,
				type->name,
				"the %s at %p was attached to a former object "
				"at this address",
				type->name, request->object);
	}
	if (!request->may_exist)
		return hp_error(request->err, HOTPATCH_E_ALREADY, 0, type->name,
				"the object at %p has its %s already",
				request->object, type->name);
	*data = sight->data;
	return HOTPATCH_OK;
}

/* Registers that it is being made, with everything that it takes but the node:
 * from here on only the constructor and the node's memory can fail. */
static enum hotpatch_status begin(struct request *request)
{
	struct hp_shadow_kind *kind = hp_shadow_kind_find(request->type->id);

	if (kind && !hp_shadow_kind_is(kind, request->type))
		return other_type(request, kind);
	if (!hp_shadow_table_reserve(making_count + 1))
		return no_memory(request);
	kind = hp_shadow_kind_use(request->type);
	if (!kind)
		return no_memory(request);
	kind->making++;
	making_count++;
	request->kind = kind;
	request->maker = pthread_self();
	request->next = being_made;
	being_made = request;
	return HOTPATCH_OK;
}

/* Finds it, or begins to make it: then the request has its kind. */
static enum hotpatch_status claim(struct request *request, void **data)
{
	struct hp_shadow_sight sight;

	for (;;) {
		sight = hp_shadow_table_find((uintptr_t)request->object,
					     request->type->id);
		if (sight.data)
			return take_found(request, &sight, data);
		if (!is_being_made(request))
			return begin(request);
		pthread_cond_wait(&made, &lock);
	}
}

/* Under the lock: it is attached, or was not made. */
static void end(const struct request *request)
{
	struct request **place = &being_made;

	while (*place != request)
		place = &(*place)->next;
	*place = request->next;
	making_count--;
	request->kind->making--;
	hp_shadow_kind_forget_unused(request->kind);
	pthread_cond_broadcast(&made);
}

static void enlist(const struct request *request, struct hp_shadow_node *node,
		   uint64_t birth)
{
	struct hp_shadow_kind *kind = request->kind;
	const struct hp_shadow_sight entry = {request->key, data_of(node),
					      birth};

	node->object = (uintptr_t)request->object;
	node->kind = kind;
	node->next = kind->nodes;
	if (kind->nodes)
		kind->nodes->previous = node;
	kind->nodes = node;
	kind->attached++;
	hp_shadow_table_put(node->object, &entry);
}

static bool construct(const struct request *request,
		      struct hp_shadow_node *node)
{
	bool well;

	if (!request->type->constructor)
		return true;
	constructs = true;
	well = request->type->constructor(data_of(node), request->object,
					  request->argument);
	constructs = false;
	return well;
}

/* Without the lock. */
static enum hotpatch_status make(struct request *request, void **data)
{
	const struct hotpatch_shadow_type *type = request->type;
	struct hp_shadow_node *node = make_node(type);
	bool constructed = node && construct(request, node);
	uint64_t birth = 0;

	if (constructed && type->birth)
		birth = type->birth(request->object);
	hp_shadow_lock();
	if (constructed)
		enlist(request, node, birth);
	end(request);
	hp_shadow_unlock();
	if (constructed) {
		*data = data_of(node);
		return HOTPATCH_OK;
	}
	if (!node)
		return no_memory(request);
	free(node->block);
	return hp_error(request->err, HOTPATCH_E_SHADOW_CONSTRUCTOR, 0,
			type->name, "the constructor of %s refused",
			type->name);
}

static enum hotpatch_status attach(struct request *request, void **data)
{
	enum hotpatch_status status = check_request(request);
	void *place = NULL;
	int cancel_state;

	if (status != HOTPATCH_OK)
		return status;
	request->key = hp_shadow_key(request->type);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	hp_shadow_lock();
	status = claim(request, &place);
	hp_shadow_unlock();
	if (request->kind)
		status = make(request, &place);
	pthread_setcancelstate(cancel_state, NULL);
	if (data && status == HOTPATCH_OK)
		*data = place;
	return status;
}

enum hotpatch_status hotpatch_shadow_attach(struct hotpatch_shadow_type *type,
					    void *object, void *argument,
					    void **data,
					    struct hotpatch_error *err)
{
	struct request request = {.type = type,
				  .object = object,
				  .argument = argument,
				  .err = err};

	return attach(&request, data);
}

enum hotpatch_status
hotpatch_shadow_get_or_attach(struct hotpatch_shadow_type *type, void *object,
			      void *argument, void **data,
			      struct hotpatch_error *err)
{
	struct request request = {.type = type,
				  .object = object,
				  .argument = argument,
				  .may_exist = true,
				  .err = err};
	void *found = is_type(type) ? hotpatch_shadow_get(type, object) : NULL;

	if (!found)
		return attach(&request, data);
	if (data)
		*data = found;
	return HOTPATCH_OK;
}

/* ---- Detaching ---- */

/* Under the lock. */
static void take_away(const struct hp_shadow_sight *sight)
{
	struct hp_shadow_node *node = node_of(sight->data);
	struct hp_shadow_kind *kind = node->kind;

	hp_shadow_table_remove(node->object, hp_shadow_key_id(sight->key));
	if (node->previous)
		node->previous->next = node->next;
	else
		kind->nodes = node->next;
	if (node->next)
		node->next->previous = node->previous;
	kind->attached--;
	node->destructor = hp_shadow_kind_destructor(kind);
	hp_shadow_retire(node);
	hp_shadow_kind_forget_unused(kind);
}

enum hotpatch_status hotpatch_shadow_detach(struct hotpatch_shadow_type *type,
					    const void *object)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_shadow_sight sight;

	if (!is_type(type) || !is_object(object))
		return HOTPATCH_E_ARGUMENT;
	hp_shadow_lock();
	sight = hp_shadow_table_find((uintptr_t)object, type->id);
	if (!sight.data)
		status = HOTPATCH_E_NO_SHADOW;
	else if (!hp_shadow_kind_is(node_of(sight.data)->kind, type))
		status = HOTPATCH_E_SHADOW_TYPE;
	else
		take_away(&sight);
	hp_shadow_unlock();
	if (status == HOTPATCH_OK)
		hp_shadow_nudge();
	return status;
}

size_t hotpatch_shadow_detach_object(const void *object)
{
	struct hp_shadow_sight sight;
	size_t count = 0;

	if (!is_object(object) || !hp_shadow_table_may_have((uintptr_t)object))
		return 0;
	hp_shadow_lock();
	for (;;) {
		sight = hp_shadow_table_any((uintptr_t)object);
		if (!sight.data)
			break;
		take_away(&sight);
		count++;
	}
	hp_shadow_unlock();
	if (count > 0)
		hp_shadow_nudge();
	return count;
}

size_t hotpatch_shadow_detach_all(struct hotpatch_shadow_type *type)
{
	struct hp_shadow_kind *kind;
	struct hp_shadow_sight sight;
	size_t count = 0;
	size_t left;

	if (!is_type(type))
		return 0;
	hp_shadow_lock();
	kind = hp_shadow_kind_find(type->id);
	left = kind && hp_shadow_kind_is(kind, type) ? kind->attached : 0;
	for (count = 0; count < left; count++) {
		/* The last one may take the kind along. */
		sight = hp_shadow_table_find(kind->nodes->object, type->id);
		take_away(&sight);
	}
	hp_shadow_unlock();
	if (count > 0)
		hp_shadow_nudge();
	return count;
}

/* ---- Looking at all ---- */

size_t hotpatch_shadow_count(struct hotpatch_shadow_type *type)
{
	struct hp_shadow_kind *kind;
	size_t count = 0;

	if (type && !is_type(type))
		return 0;
	hp_shadow_lock();
	if (!type) {
		count = hp_shadow_table_count();
	} else {
		kind = hp_shadow_kind_find(type->id);
		if (kind && hp_shadow_kind_is(kind, type))
			count = kind->attached;
	}
	hp_shadow_unlock();
	return count;
}

struct seen {
	uintptr_t object;
	void *data;
};

/* The kind's shadows at this moment; under the lock. @list may be NULL only if
 * @count is 0. */
static enum hotpatch_status list_shadows(struct hotpatch_shadow_type *type,
					 struct seen **list, size_t *count)
{
	struct hp_shadow_kind *kind = hp_shadow_kind_find(type->id);
	struct hp_shadow_node *node;

	if (!kind || kind->attached == 0)
		return HOTPATCH_OK;
	if (!hp_shadow_kind_is(kind, type))
		return HOTPATCH_E_SHADOW_TYPE;
	*list = calloc(kind->attached, sizeof(**list));
	if (!*list)
		return HOTPATCH_E_NO_MEMORY;
	for (node = kind->nodes; node; node = node->next)
		(*list)[(*count)++] =
			(struct seen){node->object, data_of(node)};
	return HOTPATCH_OK;
}

static bool is_attached(const struct seen *seen, uint32_t id)
{
	struct hp_shadow_sight sight;

	hp_shadow_lock();
	sight = hp_shadow_table_find(seen->object, id);
	hp_shadow_unlock();
	return sight.data == seen->data;
}

enum hotpatch_status hotpatch_shadow_for_each(
	struct hotpatch_shadow_type *type,
	bool (*visit)(void *object, void *data, void *argument), void *argument)
{
	enum hotpatch_status status;
	struct seen *list = NULL;
	size_t count = 0;
	size_t i;

	if (!is_type(type) || !visit)
		return HOTPATCH_E_ARGUMENT;
	/* From here on no data that is listed can be freed. */
	hotpatch_enter();
	if (!hp_task_in_section())
		return HOTPATCH_E_NO_MEMORY;
	hp_shadow_lock();
	status = list_shadows(type, &list, &count);
	hp_shadow_unlock();
	for (i = 0; i < count; i++)
		if (is_attached(&list[i], type->id) &&
		    !visit((void *)list[i].object, list[i].data, argument))
			break;
	hotpatch_leave();
	free(list);
	return status;
}

/* ---- What the rest of the library asks ---- */

/* Without stdio, which is not async-signal-safe. */
void hp_shadow_tell_stale(const struct hotpatch_shadow_type *type,
			  const void *object)
{
	static const char digits[] = "0123456789abcdef";
	char text[64];
	size_t at;
	int shift;

	hp_text_copy(text, sizeof(text) - 24, type->name);
	at = strlen(text);
	memcpy(&text[at], " of 0x", 6);
	at += 6;
	for (shift = 60; shift >= 0; shift -= 4)
		text[at++] = digits[((uintptr_t)object >> shift) & 15];
	text[at] = '\0';
	hp_event(HOTPATCH_PHASE_SHADOW_STALE, HOTPATCH_E_SHADOW_STALE, NULL,
		 text);
}

void hp_shadow_before_fork(void)
{
	hp_shadow_lock();
}

/* What other threads were making they will not make here. */
static void forget_makers(void)
{
	struct request **place = &being_made;
	struct request *request;

	while ((request = *place)) {
		if (pthread_equal(request->maker, pthread_self())) {
			place = &request->next;
			continue;
		}
		*place = request->next;
		making_count--;
		request->kind->making--;
		hp_shadow_kind_forget_unused(request->kind);
	}
}

void hp_shadow_after_fork(bool child)
{
	static const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;

	if (child) {
		made = fresh; /* who waited is not here */
		forget_makers();
		hp_shadow_retired_fork_child();
	}
	hp_shadow_unlock();
}
