/* SPDX-License-Identifier: MIT */
/*
 * What was found in the way of a hotpatch, all of it at once, and what whoever
 * seals accepted of it.
 */
#ifndef HP_SEAL_PROBLEM_H
#define HP_SEAL_PROBLEM_H

#include "binary.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * X(name, text, refuses, hint): the word that stands in JSON and in --allow,
 * whether it refuses or warns, and what the author can do.
 */
#define HP_REASON_MAP(X)                                                       \
	X(LAYOUT, "layout", true,                                              \
	  "keep the layout and put new data elsewhere; else the fix needs a "  \
	  "restart")                                                           \
	X(ENUM, "enum", true, "values that are in use keep their meaning")     \
	X(SIGNATURE, "signature", true,                                        \
	  "callers in the host pass what it was compiled with")                \
	X(NO_SLOT, "no-slot", true,                                            \
	  "only functions that the host defines with HOTPATCH_FUNCTION() can " \
	  "be replaced")                                                       \
	X(PREPARED, "prepared", true, "replace it with HOTPATCH_REPLACE()")    \
	X(NO_FUNCTION, "no-function", true,                                    \
	  "check its name and its source file")                                \
	X(IMMUTABLE, "immutable", true,                                        \
	  "redirect the functions that call it instead")                       \
	X(COPY, "copy", true, "replace the callers that are named, too")       \
	X(IPA_RA, "ipa-ra", true,                                              \
	  "compile that file with -fno-ipa-ra, or replace the callers that "   \
	  "are named, too")                                                    \
	X(FOLDED, "folded", true,                                              \
	  "keep them apart with -fno-ipa-icf or --icf=none, or allow it if "   \
	  "the fix is right for all of them")                                  \
	X(LTO, "lto", false,                                                   \
	  "what was copied or specialised is known as far as the debugging "   \
	  "information and the symbols tell")                                  \
	X(THREAD_LOCAL, "thread-local", true,                                  \
	  "a bundle cannot bring one; import the host's with "                 \
	  "HOTPATCH_IMPORT_TLS()")                                             \
	X(DUPLICATE_STATIC, "duplicate-static", true,                          \
	  "the bundle would have a copy of its own; import the host's with "   \
	  "HOTPATCH_IMPORT_STATIC()")                                          \
	X(NO_DEBUG, "no-debug", true,                                          \
	  "compile that source file with -g; without, nothing is compared")    \
	X(UNRESOLVED, "unresolved", true,                                      \
	  "export it from the host, import it, or link what has it")           \
	X(IMPORT, "import", true, "check its name and its source file")        \
	X(IMPORT_TYPE, "import-type", true,                                    \
	  "import it with the type that the host has")                         \
	X(CONSTRUCTOR, "constructor", false,                                   \
	  "it runs while the bundle is loaded, before any check of the host; " \
	  "it needs HOTPATCH_FLAG_CONSTRUCTORS or --allow-constructors")       \
	X(ATEXIT, "atexit", false,                                             \
	  "what is registered runs when the bundle is unmapped")               \
	X(THREAD, "thread", false,                                             \
	  "the code stays mapped until the thread has ended")                  \
	X(SIGNAL, "signal", false,                                             \
	  "the code stays mapped while it handles a signal; restore the old "  \
	  "handler before reverting")                                          \
	X(KEY, "key", false,                                                   \
	  "the code stays mapped for good, because a destructor may be in it") \
	X(LIBRARY, "library", false,                                           \
	  "it is loaded with the bundle, and its constructors run then")       \
	X(ENUM_MEMBER, "enum-member", false,                                   \
	  "code that is not replaced does not know it")                        \
	X(OPAQUE, "opaque", false,                                             \
	  "one side has only its name, so it was not compared")                \
	X(HELPER, "helper", false,                                             \
	  "if the fix changes it, replace the functions that are named, too")  \
	X(UNKNOWN, "unknown", false, "it could not be looked at")              \
	X(UNSEALED, "unsealed", false, "give the build with --target")

enum hp_reason {
#define HP_REASON_ENUM_(name, text, refuses, hint) HP_REASON_##name,
	HP_REASON_MAP(HP_REASON_ENUM_)
#undef HP_REASON_ENUM_
};

/*
 * @object:   what it is about, as --allow and --explain name it: a function, a
 *            variable, "session.note", "enum state.DONE"
 * @build:    of which target, by its path
 * @allowed:  accepted with --allow
 */
struct hp_problem {
	enum hp_reason reason;
	const char *build;
	bool allowed;
	char object[128];
	char sentence[512];
};

/* One that was asked for with --allow; both point into the argument. */
struct hp_allowance {
	const char *text; /* as it was given */
	enum hp_reason reason;
	const char *object;
	bool used;
};

/* Something that was looked at and is in order, for --explain. */
struct hp_remark {
	char object[128];
	char sentence[512];
};

struct hp_problems {
	struct hp_array items;
	struct hp_array remarks;
	struct hp_allowance *allowances;
	size_t allowance_count;
	const char *build; /* that the following ones are about */
	bool several;	   /* builds, so that each has to be named */
	bool no_memory;
};

const char *hp_reason_text(enum hp_reason reason);
const char *hp_reason_hint(enum hp_reason reason);
bool hp_reason_refuses(enum hp_reason reason);
bool hp_reason_read(const char *text, size_t length, enum hp_reason *reason);

/* The same one is kept once. */
__attribute__((format(printf, 4, 5))) void
hp_problem_add(struct hp_problems *problems, enum hp_reason reason,
	       const char *object, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
hp_remark_add(struct hp_problems *problems, const char *object,
	      const char *format, ...);

/* How many refuse and are not allowed. */
size_t hp_problems_refusing(const struct hp_problems *problems);

/* An array of objects; the text of all. */
json_t *hp_problems_report(const struct hp_problems *problems);
void hp_problems_print(const struct hp_problems *problems);

/* What is known of @object, as text or JSON. */
json_t *hp_problems_explain(const struct hp_problems *problems,
			    const char *object);
void hp_problems_print_explanation(const struct hp_problems *problems,
				   const char *object);

void hp_problems_release(struct hp_problems *problems);

#endif
