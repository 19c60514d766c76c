/* SPDX-License-Identifier: MIT */
/*
 * For authors of bundles. Each macro leaves its fact as an ELF note, so that
 * the file can be judged before anything of it is mapped, and, for
 * replacements, a record that the library fills in after loading. A bundle
 * includes this header and the host's own; it links against nothing of the
 * library.
 */
#ifndef HOTPATCH_BUNDLE_H
#define HOTPATCH_BUNDLE_H

#include <hotpatch/api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <hotpatch/arch/x86_64.h>
#elif defined(__aarch64__)
#include <hotpatch/arch/aarch64.h>
#else
#error "hotpatch supports x86-64 and aarch64"
#endif

#define HOTPATCH_NOTE_OWNER "hotpatch"

/*
 * The format that these macros and the seal write. A library reads its own and
 * every earlier one, and refuses a newer one by this number. Of a format that
 * was released nothing changes: a type of note keeps its number, its head and
 * its texts. Whatever is new is a new type, and so a new format, because a
 * type that a library does not know is refused: it could be a condition.
 */
#define HOTPATCH_NOTE_FORMAT 1

/*
 * Types of notes. The description of each is a fixed head, as below, followed
 * by NUL-terminated texts and padding with zeros to a multiple of four bytes.
 */
enum hotpatch_note_type {
	/* head: hotpatch_note_bundle; text: name */
	HOTPATCH_NOTE_BUNDLE = 1,
	/* head: none; texts: module's base name, build-id in hexadecimal */
	HOTPATCH_NOTE_TARGET = 2,
	/* head: hotpatch_note_replace; texts: module or "", source file or "",
	 * function, prototype */
	HOTPATCH_NOTE_REPLACE = 3,
	/* head: none; text: name of a patch, or "*" for all */
	HOTPATCH_NOTE_REPLACES = 4,
	/* head: none; text: name of a patch that must be active */
	HOTPATCH_NOTE_REQUIRES = 5,
	/* head: none; text: name of a patch that must not be active */
	HOTPATCH_NOTE_CONFLICTS = 6,
	/* head: hotpatch_note_callback; text: module or "", or the state */
	HOTPATCH_NOTE_CALLBACKS = 7,
	/* head: hotpatch_note_state; text: id */
	HOTPATCH_NOTE_STATE = 8,
	/* head: hotpatch_note_import; texts: patch or "", module or "", source
	 * file or "", name, type */
	HOTPATCH_NOTE_IMPORT = 9,
	/* zeros; hotpatch seal writes the following types over them */
	HOTPATCH_NOTE_ROOM = 10,
	/* head: hotpatch_note_build; texts: module's base name, build-id. A
	 * target, too; what was found in it follows */
	HOTPATCH_NOTE_BUILD = 11,
	/* an array of hotpatch_sealed_function; no texts */
	HOTPATCH_NOTE_SEALED_FUNCTIONS = 12,
	/* an array of hotpatch_sealed_import; no texts */
	HOTPATCH_NOTE_SEALED_IMPORTS = 13,
	/* head: none; texts: reason, name */
	HOTPATCH_NOTE_ALLOW = 14,
	/* head: none; texts: name, type */
	HOTPATCH_NOTE_EXPORT = 15,
	/* head: hotpatch_note_expires; text: none, or an empty one */
	HOTPATCH_NOTE_EXPIRES = 16,
	/* in the library itself: 64-bit offset from the description to its
	 * struct hp_marker */
	HOTPATCH_NOTE_LIBRARY = 100,
};

/* How the tasks move to the new view. */
enum hotpatch_consistency {
	HOTPATCH_PER_TASK = 0,	/* each section sees all-old or all-new */
	HOTPATCH_IMMEDIATE = 1, /* each call sees the newest */
	/* all tasks wait until none is in a section, and move together */
	HOTPATCH_RENDEZVOUS = 2,
};

enum hotpatch_bundle_kind {
	HOTPATCH_KIND_PATCH = 0,
	HOTPATCH_KIND_RESTART = 1, /* says that this fix needs a restart */
};

struct hotpatch_note_bundle {
	uint32_t format;
	uint32_t kind;
	uint32_t consistency;
	uint32_t flags;
	uint64_t sequence;
};

#define HOTPATCH_FLAG_CONSTRUCTORS 1u /* they are wanted */

struct hotpatch_note_expires {
	uint64_t seconds; /* since 1970, as CLOCK_REALTIME counts them */
};

struct hotpatch_note_replace {
	uint32_t kind; /* 0: through a table */
	uint32_t reserved;
	uint64_t abi_hash; /* 0: not recorded */
};

enum hotpatch_callback_kind {
	HOTPATCH_CALLBACK_PREPARE = 0,
	HOTPATCH_CALLBACK_COMMIT = 1,
	HOTPATCH_CALLBACK_BEFORE_REVERT = 2,
	HOTPATCH_CALLBACK_AFTER_REVERT = 3,
	HOTPATCH_CALLBACK_MIGRATE = 4,	/* of a rendezvous */
	HOTPATCH_CALLBACK_CLEAN_UP = 5, /* of a state */
};

struct hotpatch_note_callback {
	uint32_t kind; /* enum hotpatch_callback_kind */
	uint32_t reserved;
};

struct hotpatch_note_state {
	uint32_t version;
	uint32_t reserved;
};

/**
 * struct hotpatch_context_state - a state that the bundle declares
 * @id:        as declared
 * @version:   as declared
 * @installed: the highest version that other patches in effect declare; 0 if
 *             there is none, so that this bundle is the first to install it
 * @data:      belongs to whoever installed the state and is handed on with it
 */
struct hotpatch_context_state {
	const char *id;
	uint32_t version;
	uint32_t installed;
	void *data;
};

/**
 * struct hotpatch_context - what a callback gets
 * @size:        sizeof(struct hotpatch_context), as the library knows it
 * @patch:       the bundle's name
 * @module:      of a module's callback, the base name of its file; else ""
 * @reverting:   the tasks are moving away from the bundle
 * @refused:     set by hotpatch_refuse()
 * @reason:      likewise
 * @states:      those that the bundle declares, in the order of the source
 * @state_count: how many they are
 */
struct hotpatch_context {
	size_t size;
	const char *patch;
	const char *module;
	bool reverting;
	bool refused;
	char reason[192];
	struct hotpatch_context_state *states;
	size_t state_count;
};

/**
 * struct hotpatch_callback - one callback of a loaded bundle
 * @kind:     enum hotpatch_callback_kind
 * @object:   module or "", or the state that is cleaned up
 * @function: the callback
 */
struct hotpatch_callback {
	uint64_t kind;
	const char *object;
	void (*function)(struct hotpatch_context *context);
};

enum hotpatch_import_kind {
	HOTPATCH_IMPORT_ADDRESS = 0,
	HOTPATCH_IMPORT_THREAD_LOCAL = 1,
};

struct hotpatch_note_import {
	uint32_t kind;
	uint32_t reserved;
};

/* The way in which types are hashed; grows when it changes. */
#define HOTPATCH_ABI_HASH 1

struct hotpatch_note_build {
	uint32_t abi; /* HOTPATCH_ABI_HASH */
	uint32_t reserved;
};

/* @function counts the notes of replacements. @abi_hash is that of the host's
 * function; the bundle's own is in the note of the replacement. */
struct hotpatch_sealed_function {
	uint32_t function;
	uint32_t flags;
	uint64_t abi_hash;
};

/* A type that it reaches is incomplete on one side, and was not compared. */
#define HOTPATCH_SEALED_OPAQUE 1u

/* What @offset of a sealed import counts from. */
enum hotpatch_sealed_kind {
	HOTPATCH_SEALED_EXPORTED = 0, /* nothing: it is looked up by name */
	HOTPATCH_SEALED_DATA = 1,     /* the address the module is loaded at */
	HOTPATCH_SEALED_CODE = 2,     /* the same */
	HOTPATCH_SEALED_TLS = 3,      /* the module's block of a thread */
};

/* @import counts the notes of imports. */
struct hotpatch_sealed_import {
	uint32_t import;
	uint32_t kind;
	uint64_t offset;
	uint64_t size; /* of the object in bytes, 0 if not known */
	uint64_t type_hash;
};

/**
 * struct hotpatch_replacement - what a loaded bundle offers for one slot
 * @module:   base name of the target's module, "" for the first target
 * @file:     source file of a static function, "" otherwise
 * @name:     the function
 * @function: the new body
 * @original: where the library stores the address of the original body
 */
struct hotpatch_replacement {
	const char *module;
	const char *file;
	const char *name;
	void (*function)(void);
	void (**original)(void);
};

/**
 * struct hotpatch_thread_local - where the library stores how a thread-local
 *                                variable of the host is reached
 * @module:  the dynamic loader's number of the module
 * @offset:  into the module's block, or from the thread pointer
 * @address: the loader's function, which reads the two words above; NULL
 *           stands for a variable of the program, at @offset from the pointer
 *           of each thread
 */
struct hotpatch_thread_local {
	uintptr_t module;
	uintptr_t offset;
	void *(*address)(const struct hotpatch_thread_local *place);
};

/**
 * struct hotpatch_import - what a loaded bundle wants of another module
 * @patch:  the patch that exports it, "" for the host
 * @module: base name of the module, "" for the first target
 * @file:   source file of a static, "" otherwise
 * @name:   the variable or function
 * @kind:   enum hotpatch_import_kind
 * @place:  of an address: where it is stored; of a thread-local variable: its
 *          struct hotpatch_thread_local
 */
struct hotpatch_import {
	const char *patch;
	const char *module;
	const char *file;
	const char *name;
	uint64_t kind;
	void *place;
};

/** struct hotpatch_export - what a loaded bundle offers to other bundles */
struct hotpatch_export {
	const char *name;
	const char *type;
	const void *address;
};

struct hotpatch_bundle {
	uint32_t format;
	uint32_t reserved;
	struct hotpatch_replacement *start;
	struct hotpatch_replacement *stop;
	struct hotpatch_callback *callbacks;
	struct hotpatch_callback *callbacks_stop;
	struct hotpatch_import *imports_start;
	struct hotpatch_import *imports_stop;
	struct hotpatch_export *exports_start;
	struct hotpatch_export *exports_stop;
};

/* The one symbol that a bundle exports. */
#define HOTPATCH_BUNDLE_SYMBOL "hotpatch_bundle_"

#define HOTPATCH_PAD_(size) (((size) + 3u) & ~3u)

/*
 * Notes lie one after the other, in the order of the source, since the first
 * target means something: gcc may not sort them, and clang's sanitizer may not
 * put red zones between them.
 */
#ifdef __clang__
#define HOTPATCH_PLAIN_DATA_ __attribute__((no_sanitize_address))
#else
#define HOTPATCH_PLAIN_DATA_ __attribute__((no_reorder))
#endif

/* Keeps records that only the bounds of their section refer to, also where
 * the linker collects sections. */
#ifdef __has_attribute
#if __has_attribute(retain)
#define HOTPATCH_RETAIN_ __attribute__((retain))
#endif
#endif
#ifndef HOTPATCH_RETAIN_
#define HOTPATCH_RETAIN_
#endif

#ifdef __cplusplus
#define HOTPATCH_EXTERN_ extern "C"
#else
#define HOTPATCH_EXTERN_ extern
#endif

#define HOTPATCH_NOTE_ATTRIBUTES_                                              \
	HOTPATCH_PLAIN_DATA_                                                   \
	__attribute__((used, section(".note.hotpatch"), aligned(4)))
/* clang-format off */
#define HOTPATCH_RECORD_ATTRIBUTES_                                            \
	HOTPATCH_RECORD_IN_("hotpatch_replacements")
#define HOTPATCH_RECORD_IN_(name)                                              \
	HOTPATCH_PLAIN_DATA_ HOTPATCH_RETAIN_                                  \
	__attribute__((used, section(name), aligned(8)))
#define HOTPATCH_CALLBACK_ATTRIBUTES_ HOTPATCH_RECORD_IN_("hotpatch_callbacks")
#define HOTPATCH_JOIN_(a, b) HOTPATCH_JOIN_2_(a, b)
#define HOTPATCH_JOIN_2_(a, b) a##b

/* A note whose description is @head and then @texts, a string literal in which
 * "\0" separates the texts. */
#define HOTPATCH_NOTE_(id, type, head_type, head, texts)                       \
	HOTPATCH_NOTE_ATTRIBUTES_ static const struct {                        \
		uint32_t owner_size, size, kind;                               \
		char owner[HOTPATCH_PAD_(sizeof(HOTPATCH_NOTE_OWNER))];        \
		head_type head_;                                               \
		char texts_[HOTPATCH_PAD_(sizeof(texts))];                     \
	} __attribute__((packed)) id = {                                       \
		sizeof(HOTPATCH_NOTE_OWNER),                                   \
		sizeof(head_type) + HOTPATCH_PAD_(sizeof(texts)),              \
		type,                                                          \
		HOTPATCH_NOTE_OWNER,                                           \
		head,                                                          \
		texts}

#define HOTPATCH_TEXT_NOTE_(id, type, texts)                                   \
	HOTPATCH_NOTE_ATTRIBUTES_ static const struct {                        \
		uint32_t owner_size, size, kind;                               \
		char owner[HOTPATCH_PAD_(sizeof(HOTPATCH_NOTE_OWNER))];        \
		char texts_[HOTPATCH_PAD_(sizeof(texts))];                     \
	} __attribute__((packed)) id = {                                       \
		sizeof(HOTPATCH_NOTE_OWNER),                                   \
		HOTPATCH_PAD_(sizeof(texts)),                                  \
		type,                                                          \
		HOTPATCH_NOTE_OWNER,                                           \
		texts}
/* clang-format on */

#define HOTPATCH_UNIQUE_(stem) HOTPATCH_JOIN_(stem, __COUNTER__)
/* clang-format off */
#define HOTPATCH_BRACED_(...) {__VA_ARGS__}
/* clang-format on */

/*
 * The build system defines these two when it knows the target's build:
 * hotpatch_add_bundle() does, and the README shows it for make.
 */
#ifdef HOTPATCH_TARGET_BUILD_ID
#ifndef HOTPATCH_TARGET_MODULE
#define HOTPATCH_TARGET_MODULE ""
#endif
#define HOTPATCH_DEFAULT_TARGET_()                                             \
	HOTPATCH_TARGET(HOTPATCH_TARGET_MODULE, HOTPATCH_TARGET_BUILD_ID);
#else
#define HOTPATCH_DEFAULT_TARGET_()
#endif

/*
 * How many bytes of notes hotpatch seal may write. It says how many it needs if
 * these are too few; to be defined before this header is included.
 */
#ifndef HOTPATCH_SEAL_ROOM
#define HOTPATCH_SEAL_ROOM 4096
#endif

#define HOTPATCH_BOUNDS_(type, section)                                        \
	HOTPATCH_EXTERN_ __attribute__((                                       \
		weak, visibility("hidden"))) struct type __start_##section[];  \
	HOTPATCH_EXTERN_ __attribute__((                                       \
		weak, visibility("hidden"))) struct type __stop_##section[];

/* clang-format off */
#define HOTPATCH_BUNDLE_(name, sequence, kind, consistency, flags)             \
	HOTPATCH_NOTE_(hotpatch_note_bundle_, HOTPATCH_NOTE_BUNDLE,            \
		       struct hotpatch_note_bundle,                            \
		       HOTPATCH_BRACED_(HOTPATCH_NOTE_FORMAT, kind,            \
					consistency, flags, sequence),         \
		       name);                                                  \
	HOTPATCH_DEFAULT_TARGET_()                                             \
	HOTPATCH_NOTE_ATTRIBUTES_ static const struct {                        \
		uint32_t owner_size, size, kind_;                              \
		char owner[HOTPATCH_PAD_(sizeof(HOTPATCH_NOTE_OWNER))];        \
		char room[HOTPATCH_PAD_(HOTPATCH_SEAL_ROOM)];                  \
	} __attribute__((packed)) hotpatch_note_room_ = {                      \
		sizeof(HOTPATCH_NOTE_OWNER),                                   \
		HOTPATCH_PAD_(HOTPATCH_SEAL_ROOM),                             \
		HOTPATCH_NOTE_ROOM,                                            \
		HOTPATCH_NOTE_OWNER,                                           \
		{0}};                                                          \
	HOTPATCH_BOUNDS_(hotpatch_replacement, hotpatch_replacements)          \
	HOTPATCH_BOUNDS_(hotpatch_callback, hotpatch_callbacks)                \
	HOTPATCH_BOUNDS_(hotpatch_import, hotpatch_imports)                    \
	HOTPATCH_BOUNDS_(hotpatch_export, hotpatch_exports)                    \
	HOTPATCH_EXTERN_ HOTPATCH_API struct hotpatch_bundle hotpatch_bundle_; \
	__attribute__((used)) struct hotpatch_bundle hotpatch_bundle_ = {      \
		HOTPATCH_NOTE_FORMAT,                                          \
		0,                                                             \
		__start_hotpatch_replacements,                                 \
		__stop_hotpatch_replacements,                                  \
		__start_hotpatch_callbacks,                                    \
		__stop_hotpatch_callbacks,                                     \
		__start_hotpatch_imports,                                      \
		__stop_hotpatch_imports,                                       \
		__start_hotpatch_exports,                                      \
		__stop_hotpatch_exports}
/* clang-format on */

/**
 * HOTPATCH_BUNDLE() - name the bundle; once in each
 * @name:     string literal, 1 to 63 bytes, unique among the fixes of a program
 * @sequence: number that grows from one fix of a program to the next
 */
#define HOTPATCH_BUNDLE(name, sequence)                                        \
	HOTPATCH_BUNDLE_(name, sequence, HOTPATCH_KIND_PATCH,                  \
			 HOTPATCH_PER_TASK, 0)

/**
 * HOTPATCH_BUNDLE_WITH() - the same with a consistency and flags
 * @consistency: HOTPATCH_PER_TASK, HOTPATCH_IMMEDIATE or HOTPATCH_RENDEZVOUS
 * @flags:       HOTPATCH_FLAG_CONSTRUCTORS or 0
 */
#define HOTPATCH_BUNDLE_WITH(name, sequence, consistency, flags)               \
	HOTPATCH_BUNDLE_(name, sequence, HOTPATCH_KIND_PATCH, consistency,     \
			 flags)

/** HOTPATCH_RESTART() - a bundle that only says: this fix needs a restart */
#define HOTPATCH_RESTART(name, sequence)                                       \
	HOTPATCH_BUNDLE_(name, sequence, HOTPATCH_KIND_RESTART,                \
			 HOTPATCH_PER_TASK, 0)

/**
 * HOTPATCH_TARGET() - a module that the bundle is for
 * @module:   base name of its file; "" stands for the program
 * @build_id: its build-id in hexadecimal
 *
 * The first target is the one that replacements without a module mean; it must
 * be loaded. Others may come later.
 */
#define HOTPATCH_TARGET(module, build_id)                                      \
	HOTPATCH_TEXT_NOTE_(HOTPATCH_UNIQUE_(hotpatch_note_target_),           \
			    HOTPATCH_NOTE_TARGET, module "\0" build_id)

/** HOTPATCH_REPLACES() - take over from the named active patch, "*" for all */
#define HOTPATCH_REPLACES(name)                                                \
	HOTPATCH_TEXT_NOTE_(HOTPATCH_UNIQUE_(hotpatch_note_replaces_),         \
			    HOTPATCH_NOTE_REPLACES, name)

/** HOTPATCH_REQUIRES() - refuse unless the named patch is active */
#define HOTPATCH_REQUIRES(name)                                                \
	HOTPATCH_TEXT_NOTE_(HOTPATCH_UNIQUE_(hotpatch_note_requires_),         \
			    HOTPATCH_NOTE_REQUIRES, name)

/** HOTPATCH_CONFLICTS() - refuse while the named patch is active */
#define HOTPATCH_CONFLICTS(name)                                               \
	HOTPATCH_TEXT_NOTE_(HOTPATCH_UNIQUE_(hotpatch_note_conflicts_),        \
			    HOTPATCH_NOTE_CONFLICTS, name)

/** HOTPATCH_EXPIRES() - refuse from @seconds after 1970 on */
#define HOTPATCH_EXPIRES(seconds)                                              \
	HOTPATCH_NOTE_(hotpatch_note_expires_, HOTPATCH_NOTE_EXPIRES,          \
		       struct hotpatch_note_expires,                           \
		       HOTPATCH_BRACED_(seconds), "")

/* clang-format off */
#define HOTPATCH_REPLACE_(ret, name, params, module, file)                     \
	static ret name##__replacement params;                                 \
	static ret(*name##__original) params;                                  \
	HOTPATCH_NOTE_(name##__note, HOTPATCH_NOTE_REPLACE,                    \
		       struct hotpatch_note_replace,                           \
		       HOTPATCH_BRACED_(0, 0, 0),                              \
		       module "\0" file "\0" #name "\0" #ret " " #params);     \
	HOTPATCH_RECORD_ATTRIBUTES_ static struct hotpatch_replacement         \
		name##__record = {                                             \
			module,                                                \
			file,                                                  \
			#name,                                                 \
			(void (*)(void))name##__replacement,                   \
			(void (**)(void)) & name##__original};                 \
	static ret name##__replacement params
/* clang-format on */

/**
 * HOTPATCH_REPLACE() - the new body of a patchable function; the body follows
 * @ret:    return type as in the host's header
 * @name:   the function
 * @params: parameter list, of the same types as at the definition
 *
 * A type other than that of the header's prototype is a compile error. Inside
 * the bundle @name is the host's entry: calling it, or handing its address to
 * others, is safe for ever.
 */
#define HOTPATCH_REPLACE(ret, name, params)                                    \
	HOTPATCH_EXTERN_C ret name params;                                     \
	HOTPATCH_REPLACE_(ret, name, params, "", "")

/** HOTPATCH_REPLACE_IN() - the same for a function of the named module */
#define HOTPATCH_REPLACE_IN(module, ret, name, params)                         \
	HOTPATCH_EXTERN_C ret name params;                                     \
	HOTPATCH_REPLACE_(ret, name, params, module, "")

/**
 * HOTPATCH_REPLACE_STATIC() - the same for a function that the host defined
 * with HOTPATCH_STATIC_FUNCTION() in the source file of base name @file
 *
 * No header declares such a function; the prototype is compared when the
 * bundle is opened.
 */
#define HOTPATCH_REPLACE_STATIC(file, ret, name, params)                       \
	HOTPATCH_REPLACE_(ret, name, params, "", file)

/**
 * HOTPATCH_ORIGINAL() - the body that the host was compiled with
 * @name: replaced above
 *
 * HOTPATCH_ORIGINAL(f)(a, b) calls it. It is the host's own code, whatever
 * other patches are active.
 */
#define HOTPATCH_ORIGINAL(name) (*name##__original)

/* clang-format off */
#define HOTPATCH_CALLBACK_(id, kind, object, context)                          \
	HOTPATCH_CALLBACK_2_(id, kind, object, context)
#define HOTPATCH_CALLBACK_2_(id, kind, object, context)                        \
	static void id(struct hotpatch_context *context);                      \
	HOTPATCH_NOTE_(id##_note, HOTPATCH_NOTE_CALLBACKS,                     \
		       struct hotpatch_note_callback,                          \
		       HOTPATCH_BRACED_(kind, 0), object);                     \
	HOTPATCH_CALLBACK_ATTRIBUTES_ static struct hotpatch_callback          \
		id##_record = {kind, object, id};                              \
	static void id(struct hotpatch_context *context)
/* clang-format on */

/**
 * HOTPATCH_PREPARE() - what to do before anything of the bundle is visible
 * @context: name of the parameter, a struct hotpatch_context *; the body follows
 *
 * Callbacks run in this order, each at most once until its partner has run:
 *
 *   prepare         in the thread that applies; may refuse
 *   before_revert   of the patches that are replaced
 *                   (the tasks move; migrate, if it is a rendezvous)
 *   after_revert    of the patches that are replaced
 *   commit          every task has moved
 *
 *   before_revert   in the thread that reverts
 *                   (the tasks move away; migrate)
 *   after_revert    no task is in the old view any more
 *   clean up        of each state that nobody else shares
 *
 * after_revert runs if and only if prepare ran, and before_revert if and only
 * if commit ran; so an apply that is turned round before commit sees
 * after_revert alone. A revert that is turned round sees commit again. The
 * bundle's own prepare and commit come before those of its modules, which
 * come in the order in which the modules were loaded; on the way back the
 * order is the reverse.
 *
 * A callback runs without any lock of the library, in the thread that applies,
 * reverts, waits or polls, never in a task's safe point. It may take long:
 * nobody waits for it but who called. It may enter and leave sections, call
 * patchable functions, and whatever else the thread may. hotpatch_patch_open(),
 * apply, revert and wait refuse it with HOTPATCH_E_IN_CALLBACK. It has to
 * return: no longjmp(), no exception, no end of the thread. Cancellation is
 * off. If it crashes, the process does.
 */
#define HOTPATCH_PREPARE(context) HOTPATCH_PREPARE_IN("", context)
/** HOTPATCH_COMMIT() - what to do when every task has moved to the bundle */
#define HOTPATCH_COMMIT(context) HOTPATCH_COMMIT_IN("", context)
/** HOTPATCH_BEFORE_REVERT() - before the first task moves away */
#define HOTPATCH_BEFORE_REVERT(context) HOTPATCH_BEFORE_REVERT_IN("", context)
/** HOTPATCH_AFTER_REVERT() - when no task has the bundle in its view */
#define HOTPATCH_AFTER_REVERT(context) HOTPATCH_AFTER_REVERT_IN("", context)

/**
 * HOTPATCH_PREPARE_IN() - the same for a module that may come and go
 * @module:  base name of its file; the bundle names it as a target
 * @context: as above
 *
 * If the module is not loaded, its callbacks wait for it. When it comes, its
 * prepare, and its commit if the bundle is active, run before any code of its
 * own. When it goes, its before_revert and after_revert run after its
 * destructors. If its prepare refuses, the module stays as it is, without the
 * bundle, and the bundle stays for the others.
 *
 * Then they run in the thread that loads or unloads the module, inside
 * dlopen() or dlclose(), with the dynamic loader's lock held. They must not
 * wait for another thread, which may be waiting for that lock, and must not
 * unload the module. They can run while another thread runs another callback
 * of the same bundle.
 */
#define HOTPATCH_PREPARE_IN(module, context)                                   \
	HOTPATCH_CALLBACK_(HOTPATCH_UNIQUE_(hotpatch_prepare_),                \
			   HOTPATCH_CALLBACK_PREPARE, module, context)
#define HOTPATCH_COMMIT_IN(module, context)                                    \
	HOTPATCH_CALLBACK_(HOTPATCH_UNIQUE_(hotpatch_commit_),                 \
			   HOTPATCH_CALLBACK_COMMIT, module, context)
#define HOTPATCH_BEFORE_REVERT_IN(module, context)                             \
	HOTPATCH_CALLBACK_(HOTPATCH_UNIQUE_(hotpatch_before_revert_),          \
			   HOTPATCH_CALLBACK_BEFORE_REVERT, module, context)
#define HOTPATCH_AFTER_REVERT_IN(module, context)                              \
	HOTPATCH_CALLBACK_(HOTPATCH_UNIQUE_(hotpatch_after_revert_),           \
			   HOTPATCH_CALLBACK_AFTER_REVERT, module, context)

/**
 * HOTPATCH_MIGRATE() - what to do while all tasks wait; of a rendezvous only
 * @context: as above; @reverting tells the direction
 *
 * No task is in a section, so shared data can be brought from one form to the
 * other. The new code is in place already, but runs nowhere. Be short: every
 * task waits for it, and so does whoever forks. It must not wait for a task.
 */
#define HOTPATCH_MIGRATE(context)                                              \
	HOTPATCH_CALLBACK_(HOTPATCH_UNIQUE_(hotpatch_migrate_),                \
			   HOTPATCH_CALLBACK_MIGRATE, "", context)

/**
 * HOTPATCH_STATE() - declare that the bundle changes the meaning of data
 * @id:      string literal, 1 to 63 bytes as in a bundle's name
 * @version: 1 or more; grows with each change that older code cannot cope with
 *
 * The state is installed while a patch that declares it is in effect, and
 * shared by all that do. A bundle that knows only an older version than is
 * installed is refused, and so is one that replaces a patch whose state it
 * does not declare, both before any callback. In callbacks
 * hotpatch_context_find_state() tells whether it was inherited.
 */
#define HOTPATCH_STATE(id, version)                                            \
	HOTPATCH_NOTE_(HOTPATCH_UNIQUE_(hotpatch_note_state_),                 \
		       HOTPATCH_NOTE_STATE, struct hotpatch_note_state,        \
		       HOTPATCH_BRACED_(version, 0), id)

/**
 * HOTPATCH_CLEAN_UP() - what to do when the last patch with a state has gone
 * @id:      declared above
 * @context: as for callbacks; the body follows
 *
 * Runs once, after after_revert, in the code of the patch that went last; so
 * every bundle that declares the state should bring it.
 */
#define HOTPATCH_CLEAN_UP(id, context)                                         \
	HOTPATCH_CALLBACK_(HOTPATCH_UNIQUE_(hotpatch_clean_up_),               \
			   HOTPATCH_CALLBACK_CLEAN_UP, id, context)

/**
 * hotpatch_refuse() - in prepare: let the apply fail with HOTPATCH_E_PREPARE
 * @context: of the callback, which then returns
 * @reason:  why, for people; copied, cut at 191 bytes
 */
static inline __attribute__((unused)) void
hotpatch_refuse(struct hotpatch_context *context, const char *reason)
{
	size_t i;

	for (i = 0; reason[i] && i + 1 < sizeof(context->reason); i++)
		context->reason[i] = reason[i];
	context->reason[i] = '\0';
	context->refused = true;
}

/** hotpatch_context_find_state() - the declared state @id, or NULL */
static inline __attribute__((unused)) struct hotpatch_context_state *
hotpatch_context_find_state(const struct hotpatch_context *context,
			    const char *id)
{
	const char *known;
	size_t i;
	size_t at;

	for (i = 0; i < context->state_count; i++) {
		known = context->states[i].id;
		for (at = 0; known[at] && known[at] == id[at]; at++)
			;
		if (known[at] == id[at])
			return &context->states[i];
	}
	return NULL;
}
#define HOTPATCH_IMPORT_NOTE_(kind, patch, module, file, type, name)           \
	HOTPATCH_NOTE_(name##__import_note, HOTPATCH_NOTE_IMPORT,              \
		       struct hotpatch_note_import, HOTPATCH_BRACED_(kind, 0), \
		       patch "\0" module "\0" file "\0" #name "\0" type);      \
	HOTPATCH_RECORD_IN_("hotpatch_imports")                                \
	static struct hotpatch_import name##__import_record = {                \
		patch, module, file, #name, kind, (void *)&name##__imported}

#define HOTPATCH_IMPORT_ADDRESS_(patch, module, file, type, name)              \
	static __typeof__(type) *name##__imported;                             \
	HOTPATCH_IMPORT_NOTE_(HOTPATCH_IMPORT_ADDRESS, patch, module, file,    \
			      #type, name);                                    \
	__attribute__((                                                        \
		unused)) static inline __typeof__(type) *name##__import(void)  \
	{                                                                      \
		return name##__imported;                                       \
	}                                                                      \
	typedef __typeof__(type) name##__import_type
/* clang-format on */

/*
 * Imports: variables and functions of the host that a bundle's code uses at
 * the host's own address. The library stores where they are before anything of
 * the bundle is visible, so a constructor of the bundle must not use one. An
 * import that is not there is refused with its name, and nothing changes.
 *
 * HOTPATCH_IMPORT(int, count); then HOTPATCH_IMPORTED(count)++; a following
 * "#define count HOTPATCH_IMPORTED(count)" lets "count++" mean the same. The
 * type of a function is spelled without its name: int (const char *, size_t).
 */

/**
 * HOTPATCH_IMPORT() - import what the host exports by name
 * @type: its type; a compile error if the host's header declares another
 * @name: the variable or function
 *
 * Nothing but the name is needed, so this works in a bundle without a seal. A
 * sealed one may so import what the host does not export, too, if it has only
 * one such name.
 */
#define HOTPATCH_IMPORT(type, name)                                            \
	HOTPATCH_EXTERN_ __typeof__(type) name;                                \
	HOTPATCH_IMPORT_ADDRESS_("", "", "", type, name)

/**
 * HOTPATCH_IMPORT_STATIC() - import a variable or function that is static in
 *                            the source file of base name @file
 *
 * Only in a sealed bundle: hotpatch seal compares the type with the host's and
 * records the place.
 */
#define HOTPATCH_IMPORT_STATIC(file, type, name)                               \
	HOTPATCH_IMPORT_ADDRESS_("", "", file, type, name)

/** HOTPATCH_IMPORT_IN() - the same from the named module; @file may be "" */
#define HOTPATCH_IMPORT_IN(module, file, type, name)                           \
	HOTPATCH_IMPORT_ADDRESS_("", module, file, type, name)

/**
 * HOTPATCH_IMPORT_FROM() - import what another bundle exports
 * @patch: its name; the patch is required (HOTPATCH_REQUIRES()), so it is
 *         active first and cannot be reverted while this one is active
 *
 * @type has to be spelled as in the HOTPATCH_EXPORT() there.
 */
#define HOTPATCH_IMPORT_FROM(patch, type, name)                                \
	HOTPATCH_IMPORT_ADDRESS_(patch, "", "", type, name)

/* clang-format off */
/**
 * HOTPATCH_IMPORT_TLS() - import a thread-local variable
 * @file: base name of the source file in which it is static, "" if it is not
 *
 * HOTPATCH_IMPORTED() gives the calling thread's own, also in a thread that is
 * born later. That costs two loads for one of the program; for one of a library
 * a call of the dynamic loader's, which may allocate the first time in a
 * thread. Without a seal only for an exported one.
 */
#define HOTPATCH_IMPORT_TLS(file, type, name)                                  \
	HOTPATCH_IMPORT_TLS_IN("", file, type, name)

/** HOTPATCH_IMPORT_TLS_IN() - the same from the named module */
#define HOTPATCH_IMPORT_TLS_IN(module, file, type, name)                       \
	static struct {                                                        \
		struct hotpatch_thread_local place;                            \
		__typeof__(type) *type_;                                       \
	} name##__imported;                                                    \
	HOTPATCH_IMPORT_NOTE_(HOTPATCH_IMPORT_THREAD_LOCAL, "", module, file,  \
			      #type, name);                                    \
	__attribute__((unused)) static inline __typeof__(type) *               \
		name##__import(void)                                           \
	{                                                                      \
		const struct hotpatch_thread_local *place_ =                   \
			&name##__imported.place;                               \
		return (__typeof__(type) *)(                                   \
			place_->address ? place_->address(place_) :            \
			(void *)(HOTPATCH_ARCH_THREAD_POINTER() +              \
				 place_->offset));                             \
	}                                                                      \
	typedef __typeof__(type) name##__import_type
/* clang-format on */

/** HOTPATCH_IMPORTED() - the imported variable or function, as an lvalue or to
 * be called */
#define HOTPATCH_IMPORTED(name) (*name##__import())

/* clang-format off */
/**
 * HOTPATCH_EXPORT() - let other bundles import it
 * @type: its type; another one is a compile error
 * @name: a variable or function of this bundle, which may be static
 */
#define HOTPATCH_EXPORT(type, name)                                            \
	HOTPATCH_TEXT_NOTE_(name##__export_note, HOTPATCH_NOTE_EXPORT,         \
			    #name "\0" #type);                                 \
	static __typeof__(type) *const name##__exported                        \
		__attribute__((unused)) = &name;                               \
	HOTPATCH_RECORD_IN_("hotpatch_exports")                                \
	static struct hotpatch_export name##__export_record = {                \
		#name, #type, __extension__(const void *) &name}
/* clang-format on */

#endif
