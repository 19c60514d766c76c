/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of bundles: what a patch has of them, and running one without any
 * lock. Does not know when each is due: that is for stage and late.
 *
 * Functions want the engine's lock unless they say otherwise; those that run
 * callbacks release it meanwhile and have it again when they return.
 */
#ifndef HP_CALLBACK_H
#define HP_CALLBACK_H

#include "slot.h"

#include <hotpatch/bundle.h>
#include <hotpatch/patch.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define HP_CALLBACK_KINDS (HOTPATCH_CALLBACK_MIGRATE + 1) /* of a scope */

/*
 * What callbacks are paired in: the patch itself, which comes first, or one
 * module of it.
 *
 * @module:    base name, "" for the patch itself
 * @loaded:    the module, while it is registered
 * @states:    two arrays of the patch's states: for a callback to write, and
 *             as they were given to it
 * @prepared:  prepare ran, or there is none; after_revert is owed
 * @committed: commit ran, or there is none; before_revert is owed
 * @refused:   its prepare refused when the module came
 * @going:     the thread that unloads the module looks after it
 * @busy:      @runner is in callback @kind of it
 */
struct hp_scope {
	const char *module;
	const struct hp_module *loaded;
	void (*functions[HP_CALLBACK_KINDS])(struct hotpatch_context *context);
	struct hotpatch_context_state *states;
	bool prepared;
	bool committed;
	bool refused;
	bool going;
	bool busy;
	enum hotpatch_callback_kind kind;
	pthread_t runner;
};

/* True in a thread that runs a callback. Any context. */
bool hp_callback_runs_here(void);

/* The function in the loaded bundle, or NULL. */
void (*hp_callback_function(const struct hotpatch_patch *patch,
			    enum hotpatch_callback_kind kind,
			    const char *object))(struct hotpatch_context *);

/* Makes the scopes of a loaded patch that is not listed yet. Not under the
 * lock. E_NO_MEMORY. */
enum hotpatch_status hp_callback_create(struct hotpatch_patch *patch,
					struct hotpatch_error *err);
void hp_callback_destroy(struct hotpatch_patch *patch);
/* The patch is being listed: which of its modules are there? */
void hp_callback_find_modules(struct hotpatch_patch *patch);

/* A module without a table of its own came or went, because functions of it
 * were redirected. */
void hp_callback_module_came(const struct hp_module *module);
void hp_callback_module_went(const struct hp_module *module);

/* The callback that is running for @patch, "" if none. */
const char *hp_callback_running(const struct hotpatch_patch *patch);
/* The same for any patch, with its name. Takes the lock. */
const char *hp_callback_anywhere(char name[HOTPATCH_NAME_SIZE]);

/* One callback; of a clean-up, @state is which of the patch's. */
struct hp_due {
	struct hotpatch_patch *patch;
	struct hp_scope *scope;
	enum hotpatch_callback_kind kind;
	size_t state;
};

/* The scope of that module, or NULL. */
struct hp_scope *hp_callback_scope_of(const struct hotpatch_patch *patch,
				      const struct hp_module *module);
bool hp_callback_is_owed(const struct hp_scope *scope,
			 enum hotpatch_callback_kind kind);
/* prepare and commit; the way out is in the reverse order. */
bool hp_callback_is_way_in(enum hotpatch_callback_kind kind);

/* Its function, or NULL if nobody has written it. */
void (*hp_callback_of(const struct hp_due *due))(struct hotpatch_context *);
/* It has returned, or nobody has written it. */
void hp_callback_mark(const struct hp_due *due);
/* Runs and marks it. The scope is the caller's, and its module cannot go.
 * E_PREPARE if it refuses; then it is not marked. */
enum hotpatch_status hp_callback_run(const struct hp_due *due,
				     struct hotpatch_error *err);
/* The same for a scope whose module another thread may unload; does nothing
 * if it is gone. */
enum hotpatch_status hp_callback_run_pinned(const struct hp_due *due,
					    struct hotpatch_error *err);

/* In the child of a fork, where whoever was in a callback is missing. */
void hp_callback_cut_off(struct hotpatch_patch *patch, struct hp_scope *scope);

#endif
