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
#include <hotpatch/bundle_notes.h>
#include <hotpatch/bundle_records.h>
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

/* clang-format off */
#define HOTPATCH_RECORD_ATTRIBUTES_                                            \
	HOTPATCH_RECORD_IN_("hotpatch_replacements")
#define HOTPATCH_RECORD_IN_(name)                                              \
	HOTPATCH_PLAIN_DATA_ HOTPATCH_RETAIN_                                  \
	__attribute__((used, section(name), aligned(8)))
#define HOTPATCH_CALLBACK_ATTRIBUTES_ HOTPATCH_RECORD_IN_("hotpatch_callbacks")
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
		sizeof(struct hotpatch_bundle),                                \
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
	HOTPATCH_BODY_(HOTPATCH_NOTE_REPLACE, ret, name, params, module, file)
#define HOTPATCH_REDIRECT_(ret, name, params, module, file)                    \
	HOTPATCH_BODY_(HOTPATCH_NOTE_REDIRECT, ret, name, params, module, file)
#define HOTPATCH_BODY_(type, ret, name, params, module, file)                  \
	static ret name##__replacement params;                                 \
	static ret(*name##__original) params;                                  \
	HOTPATCH_NOTE_(name##__note, type,                                     \
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
 * HOTPATCH_REDIRECT() - the new body of a function that nobody prepared; the
 *                       body follows
 * @ret, @name, @params: as for HOTPATCH_REPLACE()
 *
 * For a function that the host does not define with HOTPATCH_FUNCTION(): the
 * library makes a patchable one of it, as hotpatch_redirect() does, when the
 * bundle is applied, and gives it its bytes back when no patch that is on
 * redirects it any more. Meanwhile it is like any other: views, stacking and
 * reverts are those of its bundle.
 *
 * In a sealed bundle the function is found where the seal found it, also in a
 * host without symbols, and is refused with HOTPATCH_E_FOREIGN if its bytes are
 * not those of the sealed build. Without a seal it is found by its symbol,
 * which may be a local one, and no types are compared but those that the header
 * declares.
 */
#define HOTPATCH_REDIRECT(ret, name, params)                                   \
	HOTPATCH_EXTERN_C ret name params;                                     \
	HOTPATCH_REDIRECT_(ret, name, params, "", "")

/**
 * HOTPATCH_REDIRECT_IN() - the same for a function of the named module
 * @module: base name of its file; the bundle names it as a target
 *
 * A module that is not loaded, other than the first target, is waited for. It
 * has no code of the library's that could tell of its coming or going, so both
 * are noticed by whoever calls hotpatch_poll(), hotpatch_patch_wait() or a
 * change next, or by the control thread a quarter of a second later at most,
 * and not while a transition is running. What runs in it until then is the
 * original. A section in which that falls may see both.
 */
#define HOTPATCH_REDIRECT_IN(module, ret, name, params)                        \
	HOTPATCH_EXTERN_C ret name params;                                     \
	HOTPATCH_REDIRECT_(ret, name, params, module, "")

/**
 * HOTPATCH_REDIRECT_STATIC() - the same for a function that is static in the
 *                              source file of base name @file
 *
 * Only in a sealed bundle.
 */
#define HOTPATCH_REDIRECT_STATIC(file, ret, name, params)                      \
	HOTPATCH_REDIRECT_(ret, name, params, "", file)

/** HOTPATCH_REDIRECT_STATIC_IN() - the same in the named module */
#define HOTPATCH_REDIRECT_STATIC_IN(module, file, ret, name, params)           \
	HOTPATCH_REDIRECT_(ret, name, params, module, file)

/**
 * HOTPATCH_ORIGINAL() - the body that the host was compiled with
 * @name: replaced or redirected above
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
 * @context: name of the parameter, a struct hotpatch_context *; the body
 *           follows
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
 * patchable functions, and whatever else the thread may. Of this library it may
 * call what only looks, hotpatch_patch_find() and close, and all of shadow.h.
 * hotpatch_patch_open(), apply, revert, wait, hotpatch_redirect() and release
 * refuse it with HOTPATCH_E_IN_CALLBACK, and hotpatch_poll() does nothing. It
 * has to return: no longjmp(), no exception, no end of the thread. Cancellation
 * is off. If it crashes, the process does.
 */
#define HOTPATCH_PREPARE(context) HOTPATCH_PREPARE_IN("", context)
/** HOTPATCH_COMMIT() - what to do when every task has moved to the bundle */
#define HOTPATCH_COMMIT(context) HOTPATCH_COMMIT_IN("", context)
/** HOTPATCH_BEFORE_REVERT() - before the first task moves away */
#define HOTPATCH_BEFORE_REVERT(context) HOTPATCH_BEFORE_REVERT_IN("", context)
/**
 * HOTPATCH_AFTER_REVERT() - when no task has the bundle in its view
 *
 * The place for the detach_all of the bundle's shadow data: nobody attaches any
 * more, and destructors of the bundle's own run before it is unmapped.
 */
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

/* clang-format off */
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
