/* SPDX-License-Identifier: MIT */
/*
 * The states of a task's depth, for a signal handler that interrupts it:
 *
 *   0                at rest: the handler's enter is the outermost, it
 *                    publishes and its leave clears
 *   ENTERING         seen may be unpublished or not yet confirmed: the
 *                    handler publishes again, and its leave does not clear;
 *                    the interrupted enter confirms once more
 *   count of enters  seen is confirmed: the handler only counts
 */
#include "task.h"

#include "arena.h"
#include "atomic.h"
#include "canary.h"
#include "descriptor.h"
#include "event.h"
#include "held.h"
#include "rendezvous.h"
#include "step.h"
#include "transition.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Every thread's task before its first enter. Its depth sends enter to the
 * slow path; its seen is no generation. Nobody relies on its contents after a
 * stray leave. */
static struct hp_task unregistered = {
	.head = {.seen = UINT64_MAX, .depth = HP_DEPTH_FENCED},
};

__thread struct hotpatch_task *hotpatch_self
	__attribute__((tls_model("initial-exec"))) = &unregistered.head;

/* The thread's own record, also while it runs a fiber. */
static __thread struct hp_task *native
	__attribute__((tls_model("initial-exec")));

struct hotpatch_views hotpatch_views = {1, 1};

static pthread_key_t record_key;
static bool started;
static uint32_t fibers; /* that were declared */
static bool use_fence;

static struct hp_task *own(struct hotpatch_task *task)
{
	return (struct hp_task *)task;
}

static void give_back(struct hp_task *task)
{
	task->head.depth = 0;
	hp_store_relaxed(&task->held, 0);   /* ordered by the kind below */
	hp_store_relaxed(&task->thread, 0); /* likewise */
	/* Release of seen: pairs with the scan's acquire; what the section did
	 * is done before the record counts as at rest. Release of the kind:
	 * pairs with claim() of the arena; the next owner finds a clean
	 * record. */
	HP_ORDER(REST_BEFORE_FREE, hp_store_release(&task->head.seen, 0),
		 hp_store_release(&task->kind, HP_TASK_FREE));
}

static void clean(struct hp_task *task, int thread, uint64_t key)
{
	task->head.depth = use_fence ? HP_DEPTH_FENCED : 0;
	/* Relaxed: all of it is published with the kind. */
	hp_store_relaxed(&task->head.frame, NULL);
	hp_store_relaxed(&task->head.where, NULL);
	hp_store_relaxed(&task->held, 0);
	hp_store_relaxed(&task->thread, thread);
	hp_store_relaxed(&task->stack_stop, 0);
	task->key = key;
}

/* The key's destructor: the thread ends, perhaps inside a section. */
static void thread_ends(void *value)
{
	struct hp_task *task = value;

	hotpatch_self = &unregistered.head;
	native = NULL;
	hp_step(THREAD_ENDS);
	give_back(task);
	hp_transition_task_moved();
}

/* The thread stays one that is in no section, whatever it says. */
static struct hp_task *refuse_thread(struct hp_task *task)
{
	if (task)
		give_back(task);
	hp_event(HOTPATCH_PHASE_REFUSED, HOTPATCH_E_NO_MEMORY, NULL,
		 "the record of a thread");
	return NULL;
}

/*
 * Makes the calling thread's record. A signal handler that comes before the
 * replacement makes it instead, and one that comes after it finds it.
 * Async-signal-safe as far as pthread_setspecific() is, which glibc's is for
 * the first 32 keys.
 */
static struct hp_task *register_thread(void)
{
	struct hp_task *task;
	size_t index;
	int thread;

	if (native || !started)
		return native;
	task = hp_arena_take(&index);
	if (!task)
		return refuse_thread(NULL);
	thread = (int)syscall(SYS_gettid);
	clean(task, thread, (uint64_t)thread);
	hp_step(REGISTER);
	/* Pairs with a handler's replacement in this same thread. */
	if (!hp_replace(&native, NULL, task)) {
		give_back(task);
		return native;
	}
	if (pthread_setspecific(record_key, task) != 0) {
		native = NULL;
		return refuse_thread(task);
	}
	/* Release: pairs with the scan's acquire of the kind. */
	hp_store_release(&task->kind, HP_TASK_THREAD);
	return task;
}

static uint64_t read_newest(void)
{
	/* Acquire: pairs with hp_view_offer(); a canary's record was written
	 * before its generation. That it is still the newest is compared once
	 * it is announced. */
	return hp_load_acquire(&hotpatch_generation);
}

/*
 * Announces the newest view, or the one that a canary has for the task, and
 * makes sure that it was still the newest once the announcement was visible.
 * Fenced: the exchange and the second load pair with the exchange of the
 * generation in hp_view_advance() and the scan's loads; either the scan sees
 * the announcement or this sees the new number.
 */
static void publish_fenced(struct hp_task *self)
{
	uint64_t newest;
	uint64_t seen;

	do {
		newest = read_newest();
		seen = hp_canary_view(newest, self->key);
		hp_step(VIEW_READ);
		if (HP_KEEP(SEEN_EXCHANGE))
			hp_exchange_fenced(&self->head.seen, seen);
		else
			hp_store_announced(&self->head.seen, seen);
		hp_step(ANNOUNCED);
	} while (HP_KEEP(SEEN_RECHECK) &&
		 newest != hp_load_fenced(&hotpatch_generation));
}

static void publish(struct hp_task *self)
{
	uint64_t newest;
	uint64_t seen;

	if (use_fence) {
		publish_fenced(self);
		return;
	}
	do {
		newest = read_newest();
		seen = hp_canary_view(newest, self->key);
		hp_step(VIEW_READ);
		/* Relaxed, as in hotpatch_enter(): the membarrier after
		 * hp_view_advance() is the fence between store and load. */
		hp_store_announced(&self->head.seen, seen);
		HOTPATCH_SIGNAL_FENCE();
		hp_step(ANNOUNCED);
		/* Acquire pairs with the exchange in hp_view_advance(). */
	} while (HP_KEEP(SEEN_RECHECK) &&
		 newest != hp_load_acquire(&hotpatch_generation));
}

static void begin_entering(struct hp_task *self)
{
	self->head.depth |= HOTPATCH_ENTERING;
	HOTPATCH_SIGNAL_FENCE();
}

/* A section begins, or goes on with a newer view: not while tasks wait for a
 * rendezvous. Until then the task is at rest. */
static void publish_when_open(struct hp_task *self)
{
	publish(self);
	if (!hp_rendezvous_is_on())
		return;
	hp_rendezvous_arrive();
	do {
		/* Release: as in leave; pairs with the scan's acquire. */
		hp_store_release(&self->head.seen, 0);
		hp_rendezvous_wait();
		publish(self);
	} while (hp_rendezvous_is_on());
	hp_rendezvous_depart();
}

static void enter_outermost(struct hp_task *self, void *frame,
			    const void *where)
{
	/* A handler that comes between finds out what it interrupted. */
	HP_ORDER(DEPTH_BEFORE_SEEN, begin_entering(self),
		 publish_when_open(self));
	/* Relaxed: read by hp_scan_look() for a task whose section began
	 * long before; a stale value is that of its last section. */
	hp_store_relaxed(&self->head.frame, frame);
	hp_store_relaxed(&self->head.where, where);
	HOTPATCH_SIGNAL_FENCE();
	self->head.depth += HOTPATCH_NESTING - HOTPATCH_ENTERING;
	HOTPATCH_SIGNAL_FENCE();
	hp_step(ENTERED);
}

static bool on_alternate_stack(void)
{
	stack_t stack;

	return sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK);
}

/* A signal handler may come between the declaration of a switch and the switch
 * of stacks. Only fibers can tell where their stack ends. */
static bool on_another_stack(const struct hp_task *self, const void *frame)
{
	return self->stack_stop && (uintptr_t)frame > self->stack_stop;
}

/*
 * True if the section's frame was left by longjmp(): the stack pointer is
 * above it. One on another stack proves nothing.
 */
static bool frame_was_left(const struct hp_task *self, const void *frame)
{
	return (uintptr_t)frame > (uintptr_t)self->head.frame &&
	       !on_another_stack(self, frame) && !on_alternate_stack();
}

static void heal(struct hp_task *self)
{
	hp_event_thread(HOTPATCH_PHASE_HEALED, self->thread);
	self->head.depth &= HP_DEPTH_FENCED;
	hp_store_relaxed(&self->held, 0); /* own section; scans tolerate it */
}

void hotpatch_enter_slow(void *frame, const void *where)
{
	struct hp_task *self = own(hotpatch_self);

	hp_step(ENTER);
	if (self == &unregistered) {
		self = register_thread();
		if (!self)
			return;
		hotpatch_self = &self->head;
	}
	if (self->head.depth & HOTPATCH_ENTERING) {
		if (HP_KEEP(HANDLER_PUBLISHES))
			publish(self);
		self->head.depth += HOTPATCH_NESTING;
		return;
	}
	if ((self->head.depth & HP_DEPTH_COUNT) && frame_was_left(self, frame))
		heal(self);
	if (self->head.depth & HP_DEPTH_COUNT)
		self->head.depth += HOTPATCH_NESTING;
	else
		enter_outermost(self, frame, where);
}

void hotpatch_leave_slow(void)
{
	struct hp_task *self = own(hotpatch_self);
	uint32_t depth = self->head.depth; /* one enter less already */

	if (self == &unregistered) {
		self->head.depth = HP_DEPTH_FENCED;
		return;
	}
	if ((depth & HP_DEPTH_COUNT) > HP_DEPTH_COUNT - 2 * HOTPATCH_NESTING) {
		/* There was no enter. */
		self->head.depth = depth + HOTPATCH_NESTING;
		return;
	}
	if ((depth & HP_DEPTH_COUNT) ||
	    (HP_KEEP(HANDLER_KEEPS_SEEN) && (depth & HOTPATCH_ENTERING)))
		return;
	hp_step(LEAVE);
	hp_store_relaxed(&self->held, 0); /* ordered by the release below */
	self->head.depth = depth & HP_DEPTH_FENCED;
	HOTPATCH_SIGNAL_FENCE();
	/* Release: as in hotpatch_leave(); pairs with the scan's acquire. */
	hp_store_release(&self->head.seen, 0);
	hp_step(LEFT);
}

/* As in enter: a handler does not rely on a view that is announced but not
 * confirmed, it confirms one itself. */
static void adopt(struct hp_task *self)
{
	if (HP_KEEP(SAFE_POINT_MARK))
		self->head.depth |= HOTPATCH_ENTERING;
	HOTPATCH_SIGNAL_FENCE();
	publish_when_open(self);
	HOTPATCH_SIGNAL_FENCE();
	self->head.depth &= ~HOTPATCH_ENTERING;
}

/* In a canary nobody announces the newest generation, so that every safe point
 * comes here to choose: most choose what they have. */
static bool keeps_view(const struct hp_task *self)
{
	return self->head.seen == hp_canary_view(read_newest(), self->key);
}

void hotpatch_safe_point_slow(void *frame)
{
	struct hp_task *self = own(hotpatch_self);
	uint32_t depth = self->head.depth;
	uint64_t held;

	if (self == &unregistered || !(depth & HP_DEPTH_COUNT) ||
	    (depth & HOTPATCH_ENTERING))
		return;
	if (frame_was_left(self, frame)) {
		heal(self);
		self->head.depth += HOTPATCH_NESTING;
		hp_store_relaxed(&self->head.frame, frame); /* own record */
	} else if ((depth & HP_DEPTH_COUNT) != HOTPATCH_NESTING ||
		   keeps_view(self)) {
		return;
	}
	/* Relaxed: a scan reads it after the acquire of the new seen, which
	 * publish() stores after it. */
	held = hp_held_below(self->head.frame);
	hp_store_relaxed(&self->held, held);
	if (held)
		self->head.depth |= HP_DEPTH_HELD;
	hp_step(SAFE_POINT);
	/* Who is told that a task moved looks for its new view. */
	HP_ORDER(ADOPT_BEFORE_MARK, adopt(self), hp_transition_task_moved());
	hp_step(ADOPTED);
}

bool hp_task_start(bool fenced)
{
	use_fence = fenced;
	started = pthread_key_create(&record_key, thread_ends) == 0;
	return started;
}

bool hp_task_in_section(void)
{
	return hotpatch_self != &unregistered.head &&
	       (hotpatch_self->depth & HP_DEPTH_COUNT);
}

bool hp_task_is_thread_in_section(void)
{
	return hp_task_in_section() &&
	       /* Relaxed: a record's own task is what it is. */
	       hp_load_relaxed(&own(hotpatch_self)->kind) == HP_TASK_THREAD;
}

void hp_view_advance(void)
{
	/* Fenced pairs with publish_fenced(); its release pairs with the
	 * acquire of every enter: who sees the number sees the targets that
	 * were stored before it. Only the engine's lock holder writes. */
	hp_exchange_fenced(&hotpatch_generation, hotpatch_generation + 1);
	hp_view_open();
}

void hp_view_close(void)
{
	/* Fenced: as in hp_view_advance(). */
	hp_exchange_fenced(&hotpatch_generation, hotpatch_generation + 1);
}

void hp_view_offer(uint64_t generation)
{
	/* Fenced: as in hp_view_advance(); its release pairs with the acquires
	 * of publish() for a canary's record, too. */
	hp_exchange_fenced(&hotpatch_generation, generation);
}

void hp_view_open(void)
{
	/* Release: pairs with the acquire in enter's first load, which sees
	 * the targets that were stored while the gate was closed. */
	hp_store_release(&hotpatch_views.entrance, hotpatch_generation);
}

void hp_task_reclaim(size_t index)
{
	struct hp_task *task = hp_arena_record(index);

	hp_step(RECLAIM);
	/* Relaxed: nobody else writes to the record of a dead thread. */
	hp_event_thread(HOTPATCH_PHASE_RECLAIMED,
			hp_load_relaxed(&task->thread));
	give_back(task);
}

void hp_task_fork_child(void)
{
	int self = (int)syscall(SYS_gettid);
	size_t last = hp_arena_used();
	struct hp_task *task;
	size_t i;

	for (i = 0; i < last; i++) {
		task = hp_arena_record(i);
		if (task == native) {
			task->thread = self;
			continue;
		}
		if (&task->head == hotpatch_self)
			task->thread = self;
		else if (task->kind != HP_TASK_FIBER || task->thread != 0)
			give_back(task);
	}
}

struct hotpatch_task *
hotpatch_task_create(const struct hotpatch_task_options *options)
{
	struct hp_task_detail *detail;
	struct hp_task *task;
	size_t index;

	task = started ? hp_arena_take(&index) : NULL;
	if (!task)
		return NULL;
	/* Relaxed: nothing but its being another one each time. */
	clean(task, 0,
	      ((uint64_t)getpid() << 32) + hp_add_relaxed(&fibers, 1) + 1);
	detail = hp_arena_detail(index);
	memset(detail->name, 0, sizeof(detail->name));
	if (options && options->name)
		strncpy(detail->name, options->name, HP_NAME_SIZE - 1);
	/* Relaxed, as below: published with the kind. */
	hp_store_relaxed(&detail->stack_start,
			 options ? (uintptr_t)options->stack : 0);
	if (options && options->stack) {
		hp_store_relaxed(&task->stack_stop,
				 (uintptr_t)options->stack +
					 options->stack_size);
	}
	/* Release: pairs with hp_scan_look(). */
	hp_store_release(&task->kind, HP_TASK_FIBER);
	return &task->head;
}

/* Fenced where nobody has a barrier: it is seen before what the fiber does to
 * its stack. */
static void count_turn(struct hotpatch_task *task)
{
	uint32_t turns = hp_load_relaxed(&task->reserved); /* its own */

	if (use_fence)
		/* Pairs with resting_fiber_is_clear(). */
		hp_exchange_fenced(&task->reserved, turns + 1);
	else
		/* Relaxed: resting_fiber_is_clear() has a barrier. */
		hp_store_relaxed(&task->reserved, turns + 1);
}

void hotpatch_task_switch(struct hotpatch_task *task)
{
	if (!native && !register_thread())
		return;
	/* Relaxed: the view goes with the record; who looks for code on a
	 * fiber's stack has a barrier on each side, or finds the count changed,
	 * which goes up before the fiber runs. */
	if (hotpatch_self != &native->head &&
	    hotpatch_self != &unregistered.head)
		hp_store_relaxed(&own(hotpatch_self)->thread, 0);
	if (task) {
		count_turn(task);
		hp_store_relaxed(&own(task)->thread, native->thread);
	}
	hotpatch_self = task ? task : &native->head;
}

void hotpatch_task_key(uint64_t key)
{
	if (!native && !register_thread())
		return;
	if (hotpatch_self == &unregistered.head)
		hotpatch_self = &native->head;
	own(hotpatch_self)->key = key;
}

void hotpatch_task_destroy(struct hotpatch_task *task)
{
	if (!task)
		return;
	give_back(own(task));
	hp_transition_task_moved();
}

void hp_task_describe(void)
{
	hp_describe_variable("generation", hotpatch_generation);
	hp_arena_describe();
	hp_describe("task.size", sizeof(struct hp_task));
	hp_describe_member("task.seen", struct hp_task, head.seen);
	hp_describe_member("task.kind", struct hp_task, kind);
	hp_describe_member("task.thread", struct hp_task, thread);
	hp_describe("task.kind.thread", HP_TASK_THREAD);
	hp_describe("task.kind.fiber", HP_TASK_FIBER);
}
