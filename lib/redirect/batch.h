/* SPDX-License-Identifier: MIT */
/*
 * Batches of functions that become slots, or stop to be some. Wants the lock of
 * redirect.c, and the loader entered.
 */
#ifndef HP_REDIRECT_BATCH_H
#define HP_REDIRECT_BATCH_H

#include <hotpatch/redirect.h>

/* Redirects the functions, or releases them if @on is false; all or none. */
enum hotpatch_status hp_batch_run(const struct hotpatch_function_name *names,
				  size_t count, bool on,
				  struct hotpatch_error *err);

#endif
