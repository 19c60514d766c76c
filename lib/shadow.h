/* SPDX-License-Identifier: MIT */
/*
 * Shadow data: what kinds there are, their nodes, attaching and detaching; and
 * what becomes of a node that was detached, until its destructor was run in a
 * grace period's end. The table by which readers find them is shadow_table.
 *
 * The shadow lock is the innermost: nothing is called under it but malloc().
 */
#ifndef HP_SHADOW_H
#define HP_SHADOW_H

#include <hotpatch/shadow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hp_shadow_kind;

/*
 * Lies before the data.
 *
 * @next, @previous: of the same kind; once detached, @next in a list of those
 *                   that wait
 * @destructor:      set when it is detached; may be NULL
 * @block:           what to free
 */
struct hp_shadow_node {
	struct hp_shadow_node *next;
	struct hp_shadow_node *previous;
	struct hp_shadow_kind *kind;
	uintptr_t object;
	void (*destructor)(void *data, const void *object);
	void *block;
};

void hp_shadow_lock(void);
void hp_shadow_unlock(void);

/* Under the lock: frees the node, after its destructor, once no task can have
 * its data any more. */
void hp_shadow_retire(struct hp_shadow_node *node);

/* After retiring, without the lock: tells who polls, and from
 * time to time frees what has no destructor. Never waits. */
void hp_shadow_nudge(void);

/*
 * What waits for a grace period begins to wait anew. To be called before a
 * task's view is made newer than its section: what the section got may have
 * been detached before that view, and be waiting for older ones alone.
 */
void hp_shadow_wait_anew(void);

/*
 * Frees what nobody can have any more, and runs destructors. Context: no lock,
 * no section. Gives back how many nodes are left.
 */
size_t hp_shadow_reclaim(void);

/*
 * True if nothing refers to destructors between the two addresses; what other
 * destructors serve as well is left to them. Else @why tells the reason. For
 * code that nobody can be in any more.
 */
bool hp_shadow_lets_go(uintptr_t start, uintptr_t stop, char *why, size_t size);

/* True in a thread that runs a constructor, or that or a destructor. */
bool hp_shadow_constructs(void);
bool hp_shadow_in_callback(void);

/* Around a fork(), with the engine's lock. */
void hp_shadow_before_fork(void);
void hp_shadow_after_fork(bool child);
/* In the child, under the lock. */
void hp_shadow_retired_fork_child(void);

#endif
