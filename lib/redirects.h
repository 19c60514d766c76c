/* SPDX-License-Identifier: MIT */
/*
 * What patches have of functions that nobody prepared: finding them where the
 * seal did, redirecting them when a patch is applied, following modules that
 * come and go without a word, and giving functions back that no patch that is
 * on redirects any more.
 */
#ifndef HP_REDIRECTS_H
#define HP_REDIRECTS_H

#include "slot.h"

#include <hotpatch/patch.h>

struct hotpatch_patch;

/*
 * Of one redirected function of a patch; guarded by the engine's lock.
 * @slot:    its slot, which is never freed; NULL while it is not redirected
 * @table:   of its module
 * @refused: address of the module of that name that was refused
 */
struct hp_redirect_place {
	struct hotpatch_slot *slot;
	const struct hp_module *table;
	uintptr_t refused;
};

/*
 * At opening: is each function that is loaded the one that is meant, and can it
 * be redirected? Changes nothing. Not under the engine's lock. E_UNSUPPORTED,
 * E_WRONG_TARGET, E_NO_FUNCTION, E_AMBIGUOUS, E_NOT_SEALED, E_IMMUTABLE,
 * E_PREPARED, E_FOREIGN, E_PROTOTYPE, E_DUPLICATE, E_SWAPPED, E_NO_MEMORY.
 */
enum hotpatch_status hp_redirects_check(struct hotpatch_patch *patch,
					struct hotpatch_error *err);
void hp_redirects_release(struct hotpatch_patch *patch);

/*
 * Redirects what is loaded of the patch's, which leads the open change: all or
 * none. Wants the engine's lock, releases it and has it again on return. As
 * above, and E_OVERLAP, E_NO_ROOM, E_TEXT, E_NO_MODULE.
 */
enum hotpatch_status hp_redirects_take(struct hotpatch_patch *patch,
				       struct hotpatch_error *err);

/* The patch is not on any more, or could not be applied. Wants the engine's
 * lock; hp_redirects_poll() does the rest. */
void hp_redirects_let_go(struct hotpatch_patch *patch);

/* Where a redirected function lies, but for what was moved out of it; reads
 * nothing of its module. */
bool hp_redirects_code(const struct hotpatch_slot *slot, uintptr_t *start,
		       uintptr_t *stop);

/* Looks for modules that came or went, and gives functions back. Under no lock;
 * calls the dynamic loader only if there is something to look for. */
void hp_redirects_poll(void);

/* How long a thread that looks after this process may sleep; -1 for ever. */
int hp_redirects_idle_ms(void);

/* The address space that trampolines and relays take, and what of it no
 * function uses and is not proven to be unreachable. Under the engine's
 * lock. */
void hp_redirects_bytes(size_t *mapped, size_t *idle);

/* In the child of a fork. */
void hp_redirects_fork_child(void);

#endif
