/* SPDX-License-Identifier: MIT */
/*
 * Makes the changes that clients ask for, one after the other in the order in
 * which they came, and moves on what is under way: all that may run code of
 * bundles, or wait. A thread of its own does so, so that the server goes on
 * answering meanwhile; or the host's loop.
 *
 * But for hp_worker_run() nothing here waits for what it is doing.
 */
#ifndef HP_CONTROL_WORKER_H
#define HP_CONTROL_WORKER_H

#include "change.h"

#include <stddef.h>

/* The most changes of all clients that are not answered yet. */
#define HP_CHANGE_LIMIT 64

/* While things are under way: how often to look at first, and how often once
 * it takes long. */
#define HP_EAGER_MS 1
#define HP_EAGER_LOOKS 100
#define HP_PATIENT_MS 10

struct hp_worker;

/* NULL when memory is short. @wake_fd: an eventfd that is written to when a
 * change is done. */
struct hp_worker *hp_worker_create(int wake_fd);

/* Without it, hp_worker_run() does the work. E_LIMIT, E_NO_MEMORY. */
enum hotpatch_status hp_worker_start(struct hp_worker *worker,
				     struct hotpatch_error *err);

/*
 * Nothing more is begun. Waits a second for what is being done; if that takes
 * longer, the thread ends by itself afterwards. The worker is gone for its
 * caller in either case.
 */
void hp_worker_stop(struct hp_worker *worker);

/* Does what can be done now, without a thread. True if it wants to be called
 * again soon. */
bool hp_worker_run(struct hp_worker *worker);

/* Something came under way, or was given up. */
void hp_worker_kick(struct hp_worker *worker);
bool hp_worker_is_kicked(struct hp_worker *worker);

/* Takes over @change and gives back its number, which grows; 0, and takes
 * nothing, if there are HP_CHANGE_LIMIT already. @owner: who asked. */
uint64_t hp_worker_submit(struct hp_worker *worker, const void *owner,
			  const struct hp_change *change);

/* Gives away the oldest change of @owner that is done. */
bool hp_worker_take(struct hp_worker *worker, const void *owner,
		    struct hp_change *change);

/* How many changes of @owner up to this number were not taken yet. */
size_t hp_worker_owes(struct hp_worker *worker, const void *owner,
		      uint64_t number);

/* @owner has gone: what was not begun will not be. */
void hp_worker_drop(struct hp_worker *worker, const void *owner);

/*
 * Refuses with E_BUSY those whose turn should have come, if it does not come
 * because the worker has been at one thing for a second.
 */
void hp_worker_expire(struct hp_worker *worker);

/* In the child of a fork, where its thread is not: closes the descriptors, and
 * gives back the memory. */
void hp_worker_forget(struct hp_worker *worker);
void hp_worker_free(struct hp_worker *worker);

#endif
