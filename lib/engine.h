/* SPDX-License-Identifier: MIT */
/*
 * The engine's lock, start and wake-ups. Lock order: the dynamic loader's
 * lock, then the engine's. The lock guards modules, slots' bindings, patches
 * and the transition; it is never held while the loader, a constructor or a
 * callback runs, and no task takes it on its way through a section other than
 * by trying.
 */
#ifndef HP_ENGINE_H
#define HP_ENGINE_H

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stdint.h>

void hp_engine_lock(void);
bool hp_engine_try_lock(void);
void hp_engine_unlock(void);
/* Without looking for tasks that came meanwhile; for that look itself. */
void hp_engine_release(void);

/*
 * Around every call of the dynamic loader: a fork() of another thread waits
 * until all have left, and who enters waits until the fork is over. Any number
 * of threads may be inside. Not for code that runs in a module's constructor,
 * and not to be entered twice.
 */
void hp_loader_enter(void);
void hp_loader_leave(void);

/* Idempotent; called by the library's constructor and by modules that come
 * before it ran. */
void hp_engine_start(void);

/*
 * The beginning of every public function that changes something: refuses a
 * second copy, a caller inside a section or a callback, and puts off
 * cancellation until hp_engine_leave(@cancel_state), which is owed on success.
 */
enum hotpatch_status hp_engine_enter(int *cancel_state,
				     struct hotpatch_error *err);
void hp_engine_leave(int cancel_state);

/* The stack pointer with which the calling thread entered the engine: below it
 * there are the library's own frames only. */
uintptr_t hp_engine_caller_frame(void);

/* A transition was forced in this process; under the lock. */
extern bool hp_process_forced;

/* Refuses a second copy. */
enum hotpatch_status hp_engine_check(struct hotpatch_error *err);

/* True if the library works in this process. */
bool hp_engine_usable(void);

/*
 * Makes every thread of the process pass a full fence. False if the kernel
 * suddenly refuses, as under a filter that came later.
 */
bool hp_barrier(void);

/* A number that changes whenever something may have moved. */
uint32_t hp_progress_now(void);
void hp_progress_made(void);
/* Sleeps until it differs from @seen, at most @timeout_ns. */
void hp_progress_wait(uint32_t seen, uint64_t timeout_ns);

/*
 * Has a byte count written to the eventfd @fd whenever something comes under
 * way that wants hotpatch_poll(); -1 for nobody. The last one wins.
 */
void hp_engine_watch(int fd);
void hp_engine_unwatch(int fd);
/* Something came under way; wants the lock. */
void hp_engine_wake(void);

/* Moves on what there is to move on; the caller is hp_engine_enter()ed and
 * holds no lock. Gives back how many things are under way. */
unsigned int hp_engine_poll(void);

/* How long a thread that looks after this process may sleep while nothing but
 * probations is under way; -1 for ever. */
int hp_engine_idle_ms(void);

#endif
