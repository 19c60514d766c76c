/* SPDX-License-Identifier: MIT */
/*
 * The notes of a bundle's file: their types and heads, what the seal adds, and
 * the macros that write one. Included by bundle.h.
 */
#ifndef HOTPATCH_BUNDLE_NOTES_H
#define HOTPATCH_BUNDLE_NOTES_H

#include <stdint.h>

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
	/* as of a replacement: of a function that nobody prepared */
	HOTPATCH_NOTE_REDIRECT = 17,
	/* an array of hotpatch_sealed_redirect; no texts; in the room, too */
	HOTPATCH_NOTE_SEALED_REDIRECTS = 18,
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

/* @function counts the notes of replacements and redirects, in their order.
 * @abi_hash is that of the host's function; the bundle's own is in the note of
 * the replacement. */
struct hotpatch_sealed_function {
	uint32_t function;
	uint32_t flags;
	uint64_t abi_hash;
};

/* A type that it reaches is incomplete on one side, and was not compared. */
#define HOTPATCH_SEALED_OPAQUE 1u

/* A function that is redirected, as it lies in the file of this build.
 * @function counts as above; @offset from where the module is loaded. */
struct hotpatch_sealed_redirect {
	uint32_t function;
	uint32_t size; /* of its code in bytes */
	uint64_t offset;
	uint64_t hash; /* of these bytes, FNV-1a */
};

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

#define HOTPATCH_NOTE_ATTRIBUTES_                                              \
	HOTPATCH_PLAIN_DATA_                                                   \
	__attribute__((used, section(".note.hotpatch"), aligned(4)))

/* clang-format off */
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

#endif
