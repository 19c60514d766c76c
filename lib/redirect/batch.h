/* SPDX-License-Identifier: MIT */
/*
 * Batches of functions that become slots, or stop to be some. Wants the lock of
 * redirect.c, and the loader entered.
 */
#ifndef HP_REDIRECT_BATCH_H
#define HP_REDIRECT_BATCH_H

#include "host.h"

#include <hotpatch/redirect.h>

/* One function that was found, and what it was found by. */
struct hp_batch_item {
	struct hp_host *host;
	const struct hp_function *function;
	struct hotpatch_function_name name;
};

/* Redirects the functions for the host, or releases them if @on is false; all
 * or none. Their modules stay loaded until they are released. */
enum hotpatch_status hp_batch_run(const struct hotpatch_function_name *names,
				  size_t count, bool on,
				  struct hotpatch_error *err);

/* The same for patches: the modules may go when the caller lets them, and
 * functions that the host asked for are none of its business. */
enum hotpatch_status hp_batch_change(const struct hp_batch_item *items,
				     size_t count, bool on,
				     struct hotpatch_error *err);

#endif
