/* SPDX-License-Identifier: MIT */
/*
 * What a loaded bundle and the library hold out to each other: the records of
 * replacements, callbacks, imports and exports. Included by bundle.h.
 */
#ifndef HOTPATCH_BUNDLE_RECORDS_H
#define HOTPATCH_BUNDLE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/**
 * struct hotpatch_bundle - the table of a loaded bundle
 * @format: HOTPATCH_NOTE_FORMAT of the headers that made it
 * @size:   sizeof(struct hotpatch_bundle), as these headers knew it; 0 stands
 *          for HOTPATCH_BUNDLE_SIZE_0, from before the size was told
 *
 * The other members are the bounds of its records. New ones come at the end;
 * the library looks at none beyond the size.
 */
struct hotpatch_bundle {
	uint32_t format;
	uint32_t size;
	struct hotpatch_replacement *start;
	struct hotpatch_replacement *stop;
	struct hotpatch_callback *callbacks;
	struct hotpatch_callback *callbacks_stop;
	struct hotpatch_import *imports_start;
	struct hotpatch_import *imports_stop;
	struct hotpatch_export *exports_start;
	struct hotpatch_export *exports_stop;
};

/* Up to, and with, @exports_stop. */
#define HOTPATCH_BUNDLE_SIZE_0 (2 * sizeof(uint32_t) + 8 * sizeof(void *))

/* The one symbol that a bundle exports. */
#define HOTPATCH_BUNDLE_SYMBOL "hotpatch_bundle_"

#endif
