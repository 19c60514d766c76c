/* SPDX-License-Identifier: MIT */
/*
 * Giving functions of several modules their jumps, or their own bytes: in one
 * step for each module, and in all or none. Wants the lock of redirect.c.
 */
#ifndef HP_REDIRECT_EXCHANGE_H
#define HP_REDIRECT_EXCHANGE_H

#include "host.h"
#include "text.h"

#include <hotpatch/status.h>

/* One function of a batch; @fresh: its trampoline was built for it. */
struct hp_exchange_item {
	struct hp_host *host;
	struct hp_redirected *record;
	bool fresh;
};

/*
 * @items: by address, so those of one module lie together
 * @on:    what the functions become
 * @edits: for hp_exchange() itself
 * @was_visible: some have become it, if only for a while; somebody may be in
 *         what their jumps lead to
 */
struct hp_exchange {
	const struct hp_space *space;
	struct hp_exchange_item *items;
	size_t count;
	bool on;
	struct hp_edit *edits;
	bool was_visible;
	struct hotpatch_error *err;
};

/*
 * On failure all are as they were, E_FOREIGN, E_TEXT or E_NO_MEMORY. Where the
 * system refuses the way back as well, functions stay as they have become,
 * which makes no difference to callers; each one's record says what it is.
 */
enum hotpatch_status hp_exchange(struct hp_exchange *exchange);

/* How many items from @first on are in the module of the first. */
size_t hp_exchange_run(const struct hp_exchange_item *items, size_t count,
		       size_t first);

/* Where what is changed of a function begins. */
uintptr_t hp_exchange_head(const struct hp_redirected *record);

#endif
