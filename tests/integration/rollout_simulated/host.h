/* SPDX-License-Identifier: MIT */
/*
 * The host of the simulated fleets: it can be asked for what its patchable
 * function gives, by a socket in its directory, and by nothing else.
 */
#ifndef HOST_H
#define HOST_H

#include <hotpatch/rollout.h>

/* Serves until it is ended; 1 if it cannot. @key is trusted, or NULL. */
int host_run(const char *directory, const char *key);

/* What it gives, 0 if it does not answer. */
int host_ask(const struct hotpatch_rollout_instance *instance);

#endif
