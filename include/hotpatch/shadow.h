/* SPDX-License-Identifier: MIT */
/*
 * Shadow data: members that an object gains while it lives, without a change
 * of its layout. A shadow belongs to one <object, id>; the object is known by
 * its address alone and is never read.
 *
 * For hosts and for bundles. A bundle links nothing of the library: the
 * dynamic loader binds these functions when the bundle is opened, to the
 * shared library that the host links, or, where the library is linked
 * statically, to the host, which then has to export its symbols
 * (ENABLE_EXPORTS, -rdynamic). A host that does not is told by E_LOAD with the
 * function's name.
 */
#ifndef HOTPATCH_SHADOW_H
#define HOTPATCH_SHADOW_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

/**
 * struct hotpatch_shadow_type - what is attached under an id
 * @size:        sizeof(struct hotpatch_shadow_type)
 * @key:         0; the library's own note
 * @id:          chosen by the author, unique in the program and its fixes
 * @reserved:    0
 * @data_size:   bytes of each shadow
 * @alignment:   of each shadow, a power of two up to 4,096
 * @name:        for people
 * @tag:         the C type as spelled, up to 63 bytes
 * @constructor: or NULL: the data stays all zeros. Called once for each
 *               <object, id>, before anybody sees the data; false refuses,
 *               and nothing is attached. It holds no lock of the library, but
 *               who wants the same shadow waits for it: it must return, not
 *               take a lock that such a caller may hold, and not attach.
 * @destructor:  or NULL. Called once for each shadow that was detached, as
 *               hotpatch_shadow_detach() tells; the object may be gone by then
 * @birth:       or NULL: a number that differs between an object and a later
 *               one at its address, such as a serial number in it; see
 *               hotpatch_shadow_debug()
 *
 * Made by HOTPATCH_SHADOW(). While shadows of an id are attached, everybody
 * who uses the id must mean the same size, alignment and tag. Nothing keeps
 * the address of this record.
 */
struct hotpatch_shadow_type {
	size_t size;
	uint64_t key;
	uint32_t id;
	uint32_t reserved;
	size_t data_size;
	size_t alignment;
	const char *name;
	const char *tag;
	bool (*constructor)(void *data, void *object, void *argument);
	void (*destructor)(void *data, const void *object);
	uint64_t (*birth)(const void *object);
};

/**
 * hotpatch_shadow_get() - the object's shadow
 * @type:   from HOTPATCH_SHADOW()
 * @object: any address
 *
 * Takes no lock, waits for nobody and is right whoever attaches, detaches or
 * makes the table grow meanwhile.
 *
 * The pointer that comes back can be used until the shadow is detached. If
 * another thread may detach it, use it inside a section, and only until that
 * section ends or passes a safe point: so long the data stays.
 *
 * Context: any thread, also in no section; async-signal-safe.
 * Return:  the data; NULL if there is none, or none of this size and tag.
 */
HOTPATCH_API void *hotpatch_shadow_get(struct hotpatch_shadow_type *type,
				       const void *object);

/**
 * hotpatch_shadow_attach() - give an object that has none its shadow
 * @argument: for the constructor
 * @data:     receives the shadow, or NULL
 * @err:      or NULL
 *
 * For objects that were just made. HOTPATCH_E_ALREADY then says that a former
 * object at this address was freed and its shadow forgotten.
 *
 * Context: any thread; allocates; may wait for a constructor that another
 *          thread runs for the same shadow; not async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY if there is one, nothing changed;
 *          HOTPATCH_E_SHADOW_TYPE if the id is in use with another size,
 *          alignment or tag; HOTPATCH_E_SHADOW_CONSTRUCTOR if the constructor
 *          refused; HOTPATCH_E_SHADOW_STALE, see hotpatch_shadow_debug();
 *          HOTPATCH_E_NO_MEMORY; HOTPATCH_E_ARGUMENT, also for a NULL object;
 *          HOTPATCH_E_IN_CALLBACK from a constructor;
 *          HOTPATCH_E_SECOND_COPY. Nothing is attached unless it is
 *          HOTPATCH_OK.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_shadow_attach(struct hotpatch_shadow_type *type, void *object,
		       void *argument, void **data, struct hotpatch_error *err);

/**
 * hotpatch_shadow_get_or_attach() - the object's shadow, made if there is none
 *
 * For objects that may be older than the code that asks. However many threads
 * ask at once, one of them runs the constructor and all get its result; if it
 * refuses, the next in line tries.
 *
 * Parameters, context, return: as hotpatch_shadow_attach(), without
 * HOTPATCH_E_ALREADY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_shadow_get_or_attach(struct hotpatch_shadow_type *type, void *object,
			      void *argument, void **data,
			      struct hotpatch_error *err);

/**
 * hotpatch_shadow_detach() - take the object's shadow away
 *
 * Nobody finds it from now on. Its destructor is called, and its memory freed,
 * when every section that was open is over or has passed a safe point to a
 * newer view. The destructor runs in a thread that calls hotpatch_poll() or
 * hotpatch_patch_wait(), such as the control server's, with no lock of the
 * library held, and always before the code that it is in is unmapped. It may
 * get, attach and detach shadows, and must return.
 *
 * A patch that was reverted stays mapped, and says why, while destructors in
 * it are to be run, or while shadows are attached whose only known destructor
 * is in it: detach them, or let a patch that follows attach with a destructor
 * of its own, or without one: what it brings then serves them all.
 *
 * Context: any thread, also in a section; does not wait;
 *          not async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_NO_SHADOW if there is none;
 *          HOTPATCH_E_SHADOW_TYPE if it is of another size or tag;
 *          HOTPATCH_E_ARGUMENT.
 */
HOTPATCH_API enum hotpatch_status
hotpatch_shadow_detach(struct hotpatch_shadow_type *type, const void *object);

/**
 * hotpatch_shadow_detach_object() - take all shadows of an object away
 * @object: about to be freed
 *
 * The line that a host has where it frees objects, so that no later object at
 * this address finds what fixes attached to this one.
 *
 * Context: as hotpatch_shadow_detach(); costs what a get costs if there is
 *          nothing attached.
 * Return:  how many there were.
 */
HOTPATCH_API size_t hotpatch_shadow_detach_object(const void *object);

/**
 * hotpatch_shadow_detach_all() - take the shadows of an id from all objects
 *
 * A bundle calls it in HOTPATCH_AFTER_REVERT(). In HOTPATCH_BEFORE_REVERT()
 * tasks would attach new ones behind it.
 *
 * What others attach meanwhile may stay.
 *
 * Context: as hotpatch_shadow_detach().
 * Return:  how many there were; 0 for a type of another size or tag.
 */
HOTPATCH_API size_t
hotpatch_shadow_detach_all(struct hotpatch_shadow_type *type);

/**
 * hotpatch_shadow_count() - how many are attached
 * @type: NULL for those of all ids
 *
 * Context: any thread; not async-signal-safe.
 */
HOTPATCH_API size_t hotpatch_shadow_count(struct hotpatch_shadow_type *type);

/**
 * hotpatch_shadow_for_each() - visit the shadows of an id
 * @visit:    called for each with @argument; false ends the walk
 *
 * Those that are attached at the beginning and not detached meanwhile are
 * visited, once each, in no order; those that come meanwhile are not. The walk
 * is a section, and no lock is held: a visit may get, attach and detach any
 * shadow, also the visited one, whose data stays until it returns; it must not
 * pass a safe point. Whether the object is alive still is the caller's to know.
 *
 * Context: any thread; allocates; not async-signal-safe.
 * Return:  HOTPATCH_OK, also if a visit ended it; HOTPATCH_E_SHADOW_TYPE;
 *          HOTPATCH_E_NO_MEMORY, nothing was visited; HOTPATCH_E_ARGUMENT.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status hotpatch_shadow_for_each(
	struct hotpatch_shadow_type *type,
	bool (*visit)(void *object, void *data, void *argument),
	void *argument);

/**
 * hotpatch_shadow_debug() - look for shadows of objects that are gone
 * @enable: from now on
 *
 * An object that is freed with a shadow attached leaves it to whatever is
 * made at its address next. That can be seen only with the author's help: a
 * type's @birth. It is asked when a shadow is attached, and in this mode also
 * whenever one is looked up; if the numbers differ, an event "shadow-stale"
 * tells so, a get gives NULL, and an attach or get_or_attach
 * HOTPATCH_E_SHADOW_STALE. What is not found: types without @birth, objects
 * whose number is the same again, and shadows that nobody looks up any more,
 * because the memory of an object that was freed must not be read.
 *
 * Context: any thread, at any time.
 */
HOTPATCH_API void hotpatch_shadow_debug(bool enable);

HOTPATCH_END_DECLS

/**
 * HOTPATCH_SHADOW() - typed functions for the shadows of one id
 * @type:   complete type of the data
 * @prefix: of the functions' names
 * @id_:    32-bit number
 *
 *	HOTPATCH_SHADOW(struct extra, session_extra, 0x5e55)
 *
 * defines, local to the file,
 *
 *	struct extra *session_extra_get(object);
 *	status session_extra_attach(object, argument, &extra, err);
 *	status session_extra_get_or_attach(object, argument, &extra, err);
 *	status session_extra_detach(object);
 *	size_t session_extra_detach_all();
 *	size_t session_extra_count();
 *	status session_extra_for_each(visit, argument);
 *
 * which do what the functions above do.
 */
#define HOTPATCH_SHADOW(type, prefix, id_)                                     \
	HOTPATCH_SHADOW_WITH(type, prefix, id_, NULL, NULL, NULL)

/* clang-format off */
/**
 * HOTPATCH_SHADOW_WITH() - the same with a constructor, a destructor and the
 * birth of the objects, each as in struct hotpatch_shadow_type, or NULL
 */
#define HOTPATCH_SHADOW_WITH(type, prefix, id_, constructor_, destructor_,     \
			     birth_)                                           \
	static struct hotpatch_shadow_type prefix##_shadow_type = {            \
		sizeof(struct hotpatch_shadow_type), 0, (id_), 0,              \
		sizeof(type), __alignof__(type), #prefix, #type,               \
		(constructor_), (destructor_), (birth_)};                      \
	HOTPATCH_SHADOW_INLINE_ type *prefix##_get(const void *object)         \
	{                                                                      \
		return (type *)hotpatch_shadow_get(&prefix##_shadow_type,      \
						   object);                    \
	}                                                                      \
	HOTPATCH_MUST_USE HOTPATCH_SHADOW_INLINE_ enum hotpatch_status         \
	prefix##_attach(void *object, void *argument, type **data,             \
			struct hotpatch_error *err)                            \
	{                                                                      \
		void *place_ = NULL;                                           \
		enum hotpatch_status status_ = hotpatch_shadow_attach(         \
			&prefix##_shadow_type, object, argument, &place_, err);\
		if (data)                                                      \
			*data = (type *)place_;                                \
		return status_;                                                \
	}                                                                      \
	HOTPATCH_MUST_USE HOTPATCH_SHADOW_INLINE_ enum hotpatch_status         \
	prefix##_get_or_attach(void *object, void *argument, type **data,      \
			       struct hotpatch_error *err)                     \
	{                                                                      \
		void *place_ = NULL;                                           \
		enum hotpatch_status status_ = hotpatch_shadow_get_or_attach(  \
			&prefix##_shadow_type, object, argument, &place_, err);\
		if (data)                                                      \
			*data = (type *)place_;                                \
		return status_;                                                \
	}                                                                      \
	HOTPATCH_SHADOW_INLINE_ enum hotpatch_status                           \
	prefix##_detach(const void *object)                                    \
	{                                                                      \
		return hotpatch_shadow_detach(&prefix##_shadow_type, object);  \
	}                                                                      \
	HOTPATCH_SHADOW_INLINE_ size_t prefix##_detach_all(void)               \
	{                                                                      \
		return hotpatch_shadow_detach_all(&prefix##_shadow_type);      \
	}                                                                      \
	HOTPATCH_SHADOW_INLINE_ size_t prefix##_count(void)                    \
	{                                                                      \
		return hotpatch_shadow_count(&prefix##_shadow_type);           \
	}                                                                      \
	struct prefix##_shadow_walk {                                          \
		bool (*visit)(void *object, type *data, void *argument);       \
		void *argument;                                                \
	};                                                                     \
	HOTPATCH_SHADOW_INLINE_ bool prefix##_shadow_visit(                    \
		void *object, void *data, void *walk_)                         \
	{                                                                      \
		struct prefix##_shadow_walk *own_ =                            \
			(struct prefix##_shadow_walk *)walk_;                  \
		return own_->visit(object, (type *)data, own_->argument);      \
	}                                                                      \
	HOTPATCH_MUST_USE HOTPATCH_SHADOW_INLINE_ enum hotpatch_status         \
	prefix##_for_each(bool (*visit)(void *object, type *data,              \
					void *argument),                       \
			  void *argument)                                      \
	{                                                                      \
		struct prefix##_shadow_walk walk_ = {visit, argument};         \
		return hotpatch_shadow_for_each(                               \
			&prefix##_shadow_type,                                 \
			visit ? prefix##_shadow_visit : NULL, &walk_);         \
	}
/* clang-format on */

#define HOTPATCH_SHADOW_INLINE_ static inline __attribute__((unused))

#endif
