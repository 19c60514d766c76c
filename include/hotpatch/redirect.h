/* SPDX-License-Identifier: MIT */
/*
 * Functions that were never prepared. hotpatch_redirect() makes a slot out of
 * any function of any loaded module, the program or a library, by changing a
 * part of its first instruction to a jump. From then on it is a slot like any
 * other: bundles replace it with HOTPATCH_REPLACE() or HOTPATCH_REPLACE_IN(),
 * their originals are callable, transitions and reverts work as for functions
 * that were marked.
 *
 * No thread is stopped and no signal is used: whole pages of code are exchanged
 * in one step, and never more than one instruction of a function changes, so
 * wherever a thread is, it finds what it expects. A module in which the host
 * redirected functions stays loaded until the host releases them.
 *
 * Bundles redirect, too, with HOTPATCH_REDIRECT(). What a bundle redirects is
 * given back when it goes, unless the host wants it as well; and what the host
 * redirected stays until the host releases it.
 *
 * Debuggers may set breakpoints at a redirected function's entry and in its
 * body, but not within the eight bytes behind its first one, which jumps may
 * rely on.
 *
 * What the compiler did to a function's callers is beyond this library: an
 * inlined copy of the function is not redirected, and a caller in the same file
 * may have been compiled to know which registers the original leaves alone
 * (gcc -fipa-ra). Functions that are called from other modules are free of
 * both. The command "hotpatch assess" tells, for each function, what was done
 * to it.
 */
#ifndef HOTPATCH_REDIRECT_H
#define HOTPATCH_REDIRECT_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

/* X(NAME, text): why a function cannot be redirected. */
#define HOTPATCH_REFUSAL_MAP(X)                                                \
	X(NONE, "it can be redirected")                                        \
	X(PART, "it is a part of another function")                            \
	X(SIGNAL_RETURN, "the kernel returns to it from signal handlers")      \
	X(UNDECODABLE, "its first instruction is unknown")                     \
	X(IMMOVABLE, "its first instruction cannot be moved")                  \
	X(LOOP, "a loop of its own leads back to its first instruction")

enum hotpatch_refusal {
#define HOTPATCH_REFUSAL_ENUM_(name, text) HOTPATCH_REFUSAL_##name,
	HOTPATCH_REFUSAL_MAP(HOTPATCH_REFUSAL_ENUM_)
#undef HOTPATCH_REFUSAL_ENUM_
};

/** hotpatch_refusal_text() - what it means; any context */
HOTPATCH_API const char *hotpatch_refusal_text(enum hotpatch_refusal refusal);

/**
 * struct hotpatch_function_name - which function
 * @module:    base name of its file; NULL or "" for the program
 * @name:      its symbol, exported or not, also from a separate debug file; or
 *             NULL, and then
 * @address:   where it begins
 * @prototype: its type as bundles spell it, "int (int a, char b)"; or NULL,
 *             and then the types of replacements are not compared with it
 *
 * The slot of a function that has no symbol is called "0x" and its offset in
 * the module.
 */
struct hotpatch_function_name {
	const char *module;
	const char *name;
	const void *address;
	const char *prototype;
};

/**
 * struct hotpatch_function_info - what the analysis of the module says
 * @module, @name: as its slot is or would be called
 * @address:    the first instruction
 * @tier:       0: the compiler left room; 1: the first instruction has room for
 *              a jump; 2: it has room for a part of one
 * @refusal:    why it cannot be redirected
 * @written:    bytes that change
 * @redirected: it is at the moment
 */
struct hotpatch_function_info {
	char module[64];
	char name[256];
	const void *address;
	unsigned int tier;
	enum hotpatch_refusal refusal;
	unsigned int written;
	bool redirected;
};

/**
 * hotpatch_redirect() - make slots out of functions
 * @functions: which
 * @count:     how many
 * @err:       which function, and why, or NULL
 *
 * All or none; what is redirected already is left as it is. Nothing changes for
 * callers: each slot's target is the original. The first use of a module
 * analyses it, which takes some milliseconds for each megabyte of code.
 *
 * Where the system refuses to exchange the pages of one of several modules, and
 * then also to take back what was done before, functions stay redirected to
 * their originals, and are listed; the error is that of the refusal.
 *
 * Context: any thread outside a section; may block on files and the dynamic
 *          loader; not async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_NO_MODULE; HOTPATCH_E_NO_FUNCTION;
 *          HOTPATCH_E_AMBIGUOUS if several local functions have the name;
 *          HOTPATCH_E_IMMUTABLE with the reason; HOTPATCH_E_OVERLAP for two
 *          functions that lie too near; HOTPATCH_E_NO_ROOM if what a jump could
 *          lead to is taken; HOTPATCH_E_FOREIGN if somebody else changed
 *          the code; HOTPATCH_E_SWAPPED if the file is not the one that was
 *          loaded; HOTPATCH_E_TEXT, with errno, if the system refuses;
 *          HOTPATCH_E_NOT_FOUND or HOTPATCH_E_NOT_ELF for the file;
 *          HOTPATCH_E_UNSUPPORTED where the library was built without this;
 *          HOTPATCH_E_NO_MEMORY; HOTPATCH_E_ARGUMENT; HOTPATCH_E_IN_SECTION;
 *          HOTPATCH_E_IN_CALLBACK; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_redirect(const struct hotpatch_function_name *functions, size_t count,
		  struct hotpatch_error *err);

/**
 * hotpatch_redirect_release() - give functions their original bytes back
 *
 * All or none, as above; what is not redirected is left as it is. What lay
 * behind the functions is given back by hotpatch_poll(), when it is proven that
 * no thread is in it; until then it serves again if they are redirected again.
 *
 * Return: as hotpatch_redirect(), and HOTPATCH_E_IN_USE while a patch replaces
 *         one of the functions, however it came to be redirected;
 *         HOTPATCH_E_BUSY while a change is open.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_redirect_release(const struct hotpatch_function_name *functions,
			  size_t count, struct hotpatch_error *err);

/**
 * hotpatch_redirect_look() - what could be done with a function
 * @function: which
 * @info:     filled; changes nothing in the module
 * @err:      or NULL
 *
 * Return: HOTPATCH_OK also for a function that cannot be redirected; else as
 *         hotpatch_redirect().
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_redirect_look(const struct hotpatch_function_name *function,
		       struct hotpatch_function_info *info,
		       struct hotpatch_error *err);

HOTPATCH_END_DECLS

#endif
