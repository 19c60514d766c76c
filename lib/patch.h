/* SPDX-License-Identifier: MIT */
/*
 * Patches: their record, their states and the one table of legal moves between
 * them. Guarded by the engine's lock, but for what opening writes before the
 * patch is listed.
 */
#ifndef HP_PATCH_H
#define HP_PATCH_H

#include "callback.h"
#include "identity.h"
#include "image.h"
#include "import.h"
#include "manifest.h"
#include "redirects.h"
#include "slot.h"
#include "state.h"
#include "store.h"
#include "trial.h"
#include "trust.h"

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * @next:       in the engine's list, in the order of opening
 * @references: handles, and one of the list's own while it is under way
 * @on:         whether its replacements count on the old and the new side of
 *              the open transition; both the same outside of one
 * @changing:   it takes part in the open change, of which the transition is
 *              the middle
 * @wanted:     whether it shall be on when the change is over
 * @moving:     it takes part in the open transition
 * @leads:      the open change is about it; others may go with it
 * @order:      grows with each apply; the larger wins a slot
 * @born:       first generation that could see its code, 0 for never
 * @gone:       no section that began at this generation or later can be in
 *              its code; 0 while it is visible
 * @reversed:   its last transition was turned round by a missed deadline
 * @unloading:  a thread is busy with its proof or its unmapping
 * @forced:     tasks may be in its code whatever they say
 * @anywhere:   it replaced a function that was not marked, which tasks may call
 *              at rest as well
 * @voucher:    who vouches for the file
 * @identity:   by which the private directory remembers it
 * @owner:      process that wrote the private copy
 * @redirects:  one for each of the manifest's; NULL if it redirects nothing
 * @holds:      its functions are redirected for it
 * @scopes:     what its callbacks are paired in; none without any
 * @claims:     one for each of the manifest's states
 * @opened_us, @drained_us, @unmapped_us: durations for people
 * @began_ns:   start of its last transition
 * @proof_ns:   when unmapping was first tried, 0 before
 * @tries:      how often it was tried
 * @retry_ns:   not before then
 * @trial:      how it does since it is active
 */
struct hotpatch_patch {
	struct hotpatch_patch *next;
	unsigned int references;
	enum hotpatch_state state;
	bool on[2];
	bool changing;
	bool wanted;
	bool moving;
	bool leads;
	bool reversed;
	bool forced;
	bool anywhere;
	bool unloading;
	uint64_t order;
	uint64_t born;
	uint64_t gone;
	struct hp_file file;
	struct hp_voucher voucher;
	struct hp_manifest manifest;
	struct hp_identity identity;
	struct hp_image image;
	struct hp_imports imports;
	int image_index;
	pid_t owner;
	struct hp_binding *bindings; /* one for each of the manifest's */
	struct hp_redirect_place *redirects;
	bool holds;
	struct hp_scope *scopes;
	size_t scope_count;
	struct hp_claim *claims;
	enum hotpatch_status status;
	char reason[256];
	uint64_t generation;
	uint64_t opened_us;
	uint64_t drained_us;
	uint64_t unmapped_us;
	uint64_t began_ns;
	uint64_t proof_ns;
	unsigned int tries;
	uint64_t retry_ns;
	struct hp_trial trial;
};

extern struct hotpatch_patch *hp_patches;

bool hp_state_may_move(enum hotpatch_state from, enum hotpatch_state to);

/* Moves it if the table allows; else it stays, and false comes back. */
bool hp_patch_move(struct hotpatch_patch *patch, enum hotpatch_state to);

/* Why it is where it is, kept for status. */
__attribute__((format(printf, 3, 4))) void
hp_patch_explain(struct hotpatch_patch *patch, enum hotpatch_status status,
		 const char *format, ...);

/* True if why tells how its last change came about or ended, and stays. */
bool hp_patch_keeps_reason(const struct hotpatch_patch *patch);
/* Forgets why, unless it has to stay. */
void hp_patch_forget_reason(struct hotpatch_patch *patch);

/* The active patch of that name, or NULL; under the lock. */
struct hotpatch_patch *hp_patch_active(const char *name);

/* Loaded, active or on its way. */
bool hp_patch_is_under_way(const struct hotpatch_patch *patch);

void hp_patch_enlist(struct hotpatch_patch *patch);

/* Does the manifest fit the modules that are loaded? */
enum hotpatch_status hp_patch_check_fit(const struct hp_manifest *manifest,
					struct hotpatch_error *err);

/* May it come, as far as the patches that are active say? Under the lock.
 * E_REQUIRES, E_CONFLICT, E_STATE_UNKNOWN, E_STATE_OLDER, E_IMPORT,
 * E_IMPORT_TYPE. */
enum hotpatch_status hp_patch_check_others(const struct hotpatch_patch *patch,
					   struct hotpatch_error *err);

/* The loaded record of the manifest's replacement @index, or NULL. */
struct hotpatch_replacement *hp_patch_record(const struct hotpatch_patch *patch,
					     size_t index);

/* Is @module the build of the bundle's target of that name? */
bool hp_patch_is_target(const struct hotpatch_patch *patch, const char *name,
			const struct hp_module *module);

/* Does @patch say that it replaces @other? */
bool hp_patch_supersedes(const struct hotpatch_patch *patch,
			 const struct hotpatch_patch *other);

/* E_WRONG_TARGET if it names another build of the module that came. */
enum hotpatch_status hp_patch_check_module(const struct hotpatch_patch *patch,
					   const struct hp_module *module,
					   struct hotpatch_error *err);

/* Binds what the module has of the patch's functions. */
enum hotpatch_status hp_patch_bind(struct hotpatch_patch *patch,
				   const struct hp_module *module,
				   struct hotpatch_error *err);
void hp_patch_unbind(struct hotpatch_patch *patch);

/*
 * Is @patch there yet? Moves nothing on, so that it runs nobody's code. E_BUSY
 * for not yet; anything else says why it cannot get there. Takes the lock, as
 * do the next two.
 */
enum hotpatch_status hp_patch_look(const struct hotpatch_patch *patch,
				   enum hotpatch_goal goal,
				   struct hotpatch_error *err);

/* E_TIMEOUT, with what is in its way. */
enum hotpatch_status hp_patch_time_is_up(const struct hotpatch_patch *patch,
					 struct hotpatch_error *err);

/* Begins to revert a patch that failed its probation, however long it takes. As
 * hotpatch_patch_revert(), from within hp_engine_poll(). */
enum hotpatch_status hp_patch_take_back(struct hotpatch_patch *patch,
					struct hotpatch_error *err);

/* Gives a handle back, or NULL; unmapping is left to hotpatch_poll(). */
void hp_patch_release(struct hotpatch_patch *patch);

/* The name under which this program registered its table, without control
 * characters; takes the lock. */
void hp_program_name(char name[HOTPATCH_NAME_SIZE]);

/* Called without the lock: frees what a patch that left the list owns. */
void hp_patch_destroy(struct hotpatch_patch *patch);

/* For debuggers. */
void hp_patch_describe(void);

unsigned int hp_patch_bound(const struct hotpatch_patch *patch);

#endif
