/* SPDX-License-Identifier: MIT */
/*
 * States: what bundles declare to have changed in the meaning of data, who
 * shares each, and the pointer that is handed on with it. A patch claims its
 * states when it is prepared and gives them back when it is undone or
 * reverted. Everything here wants the engine's lock, unless said otherwise.
 */
#ifndef HP_STATE_H
#define HP_STATE_H

#include <hotpatch/bundle.h>
#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>

struct hp_state_record;

/*
 * What a patch has of a state that it declares.
 *
 * @record:  shared by all patches that declare it
 * @claimed: the patch is prepared or active
 * @cleanup: or NULL
 */
struct hp_claim {
	struct hp_state_record *record;
	bool claimed;
	void (*clean_up)(struct hotpatch_context *context);
};

/* For a patch that is not listed yet. Not under the lock. E_NO_MEMORY. */
enum hotpatch_status hp_state_create(struct hotpatch_patch *patch,
				     struct hotpatch_error *err);
void hp_state_destroy(struct hotpatch_patch *patch);

/* May @patch come, beside or instead of the patches that are active?
 * E_STATE_UNKNOWN, E_STATE_OLDER. */
enum hotpatch_status hp_state_check(const struct hotpatch_patch *patch,
				    struct hotpatch_error *err);

/* For a callback: the patch's states, twice; and what it made of them. */
void hp_state_fill(const struct hotpatch_patch *patch,
		   struct hotpatch_context_state *states);
void hp_state_take(const struct hotpatch_patch *patch,
		   const struct hotpatch_context_state *states);

void hp_state_claim(struct hotpatch_patch *patch);
/* The next state that @patch still claims; false if there is none. */
bool hp_state_next_claim(const struct hotpatch_patch *patch, size_t *index);
/* Does no other patch claim it? */
bool hp_state_is_last(const struct hotpatch_patch *patch, size_t index);
void hp_state_give_up(struct hotpatch_patch *patch, size_t index);

#endif
