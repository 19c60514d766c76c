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
#include <stdint.h>

#define HOTPATCH_NOTE_OWNER "hotpatch"

/* The format that these macros write; a library refuses a newer one. */
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
	/* head: hotpatch_note_expires; text: none, or an empty one */
	HOTPATCH_NOTE_EXPIRES = 15,
	/* in the library itself: 64-bit offset from the description to its
	 * struct hp_marker */
	HOTPATCH_NOTE_LIBRARY = 100,
};

/* How the tasks move to the new view. */
enum hotpatch_consistency {
	HOTPATCH_PER_TASK = 0,	/* each section sees all-old or all-new */
	HOTPATCH_IMMEDIATE = 1, /* each call sees the newest */
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

struct hotpatch_bundle {
	uint32_t format;
	uint32_t reserved;
	struct hotpatch_replacement *start;
	struct hotpatch_replacement *stop;
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
	HOTPATCH_PLAIN_DATA_ HOTPATCH_RETAIN_                                  \
	__attribute__((used, section("hotpatch_replacements"), aligned(8)))
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

/* clang-format off */
#define HOTPATCH_BUNDLE_(name, sequence, kind, consistency, flags)             \
	HOTPATCH_NOTE_(hotpatch_note_bundle_, HOTPATCH_NOTE_BUNDLE,            \
		       struct hotpatch_note_bundle,                            \
		       HOTPATCH_BRACED_(HOTPATCH_NOTE_FORMAT, kind,            \
					consistency, flags, sequence),         \
		       name);                                                  \
	HOTPATCH_DEFAULT_TARGET_()                                             \
	HOTPATCH_EXTERN_ __attribute__((weak, visibility("hidden")))           \
	struct hotpatch_replacement __start_hotpatch_replacements[];           \
	HOTPATCH_EXTERN_ __attribute__((weak, visibility("hidden")))           \
	struct hotpatch_replacement __stop_hotpatch_replacements[];            \
	HOTPATCH_EXTERN_ HOTPATCH_API struct hotpatch_bundle hotpatch_bundle_; \
	__attribute__((used)) struct hotpatch_bundle hotpatch_bundle_ = {      \
		HOTPATCH_NOTE_FORMAT, 0, __start_hotpatch_replacements,        \
		__stop_hotpatch_replacements}
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
 * @consistency: HOTPATCH_PER_TASK or HOTPATCH_IMMEDIATE
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

#endif
