/* SPDX-License-Identifier: MIT */
/*
 * Tasks, sections and safe points: where a thread says which stretches of its
 * run need one consistent view of the patchable functions, and when it holds
 * nothing of the old view. The fast paths are inline: a handful of
 * instructions, no fence, no call. The ordering that they leave out is paid
 * by whoever applies a patch, with membarrier(2); where the kernel refuses
 * that, every enter takes the slow path, which has a fence.
 */
#ifndef HOTPATCH_SECTION_H
#define HOTPATCH_SECTION_H

#include <hotpatch/api.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <hotpatch/arch/x86_64.h>
#elif defined(__aarch64__)
#include <hotpatch/arch/aarch64.h>
#else
#error "hotpatch supports x86-64 and aarch64"
#endif

HOTPATCH_BEGIN_DECLS

/**
 * struct hotpatch_task - what has a view: a thread, or a declared fiber
 *
 * The members belong to the library and to the inline functions below. They
 * are the first half of a cache line that is never unmapped.
 *
 * @seen:  the generation of the open section, 0 at rest; written by the task,
 *         read by whoever applies a patch
 * @depth: 0 at rest; HOTPATCH_ENTERING while the outermost enter is between
 *         its stores; HOTPATCH_NESTING for each open enter. Any other bit
 *         sends enter and leave to their slow path.
 * @frame: the stack pointer at the outermost enter
 * @where: the code address of the outermost enter
 */
struct hotpatch_task {
	uint64_t seen;
	uint32_t depth;
	uint32_t reserved;
	void *frame;
	const void *where;
};

#define HOTPATCH_ENTERING 1u
#define HOTPATCH_NESTING 2u

/* The current task; a shared record with an odd depth before the first
 * enter, so that the fast path needs no test for it. */
extern HOTPATCH_API __thread struct hotpatch_task *hotpatch_self
	__attribute__((tls_model("initial-exec")));

/**
 * struct hotpatch_views - the number of the newest view
 *
 * Only the library writes it.
 *
 * @generation: what safe points look at, and enter at last
 * @entrance:   what enter announces: the same, but for a moment in which a
 *              transition begins, and while tasks have to wait for a
 *              rendezvous
 */
struct hotpatch_views {
	uint64_t generation;
	uint64_t entrance;
};

extern HOTPATCH_API struct hotpatch_views hotpatch_views;
#define hotpatch_generation hotpatch_views.generation

HOTPATCH_API void hotpatch_enter_slow(void *frame, const void *where);
HOTPATCH_API void hotpatch_leave_slow(void);
HOTPATCH_API void hotpatch_safe_point_slow(void *frame);

#define HOTPATCH_INLINE static inline __attribute__((always_inline, unused))

/* Orders the stores around it for a signal handler of the same thread. */
#define HOTPATCH_SIGNAL_FENCE() __asm__ volatile("" ::: "memory")

/**
 * hotpatch_enter() - begin a section
 *
 * Until the matching hotpatch_leave() the task sees every patchable function
 * in one version, that of the newest view at this moment. Sections nest; only
 * the outermost counts. The first call of a thread makes its record, without
 * allocating from the heap.
 *
 * Call it in a function whose frame outlives the section, not in a wrapper
 * that is not inlined: a stack pointer above the one recorded here is how a
 * longjmp() out of a section is recognised.
 *
 * A thread that once entered is trusted to be outside all patchable functions
 * when it is in no section, except those that it was in when it last entered.
 *
 * The outermost enter waits while a rendezvous gathers (HOTPATCH_RENDEZVOUS):
 * asleep, at most for the rendezvous_ms of its options and the bundle's
 * migration. Nothing else makes it wait.
 *
 * Context: any thread; also a signal handler, also one that interrupts
 *          enter, leave or a safe point. A handler never waits if it
 *          interrupts a section or a task that waits; one that interrupts a
 *          task at rest waits as the task would. One that interrupts a task
 *          that waits sees each function's newest version, call by call.
 */
HOTPATCH_INLINE void hotpatch_enter(void)
{
	struct hotpatch_task *self = HOTPATCH_ARCH_SELF();

	if (__builtin_expect(!HOTPATCH_ARCH_IS_ZERO(self->depth), 0)) {
		void *frame;

		HOTPATCH_ARCH_RECORD_FRAME(frame);
		hotpatch_enter_slow(frame, HOTPATCH_ARCH_WHERE());
		return;
	}
	/* From here on a signal handler's leave is not the outermost. */
	self->depth = HOTPATCH_ENTERING;
	HOTPATCH_SIGNAL_FENCE();
	/*
	 * The announcement must be visible before the generation is compared:
	 * the membarrier after hp_view_advance() in lib/task.c stands in for a
	 * fence here. The comparison's acquire pairs with the release of the
	 * generation there: who sees the new number sees the detours that
	 * were stored before it.
	 */
	if (__builtin_expect(!HOTPATCH_ARCH_PUBLISH(self->seen,
						    hotpatch_views.entrance,
						    hotpatch_views.generation),
			     0)) {
		void *frame;

		/* As if it had not begun. */
		self->depth = 0;
		HOTPATCH_ARCH_RECORD_FRAME(frame);
		hotpatch_enter_slow(frame, HOTPATCH_ARCH_WHERE());
		return;
	}
	HOTPATCH_ARCH_RECORD_FRAME(self->frame);
	self->where = HOTPATCH_ARCH_WHERE();
	self->depth = HOTPATCH_NESTING;
	HOTPATCH_SIGNAL_FENCE();
}

/**
 * hotpatch_leave() - end a section
 *
 * The outermost leave brings the task to rest: no patch waits for it.
 * A leave without an enter is ignored.
 *
 * Context: as hotpatch_enter(); the same task, not necessarily the same
 *          thread.
 */
HOTPATCH_INLINE void hotpatch_leave(void)
{
	struct hotpatch_task *self = HOTPATCH_ARCH_SELF();

	HOTPATCH_SIGNAL_FENCE();
	self->depth -= HOTPATCH_NESTING;
	if (__builtin_expect(self->depth != 0, 0)) {
		hotpatch_leave_slow();
		return;
	}
	/*
	 * Release: what the section did is done before it counts as over.
	 * Pairs with the acquire of the scan in lib/scan.c.
	 */
	__atomic_store_n(&self->seen, 0, __ATOMIC_RELEASE);
	HOTPATCH_SIGNAL_FENCE();
}

/**
 * hotpatch_safe_point() - let the view move inside a section
 *
 * To be called between two units of work, such as two requests, where the
 * task holds nothing of the old view. If a newer view exists the task adopts
 * it. Inside a nested section it does nothing, in no section neither.
 *
 * Context: any thread; waits as hotpatch_enter() does while a rendezvous
 *          gathers, else never; may store the new targets of a transition if
 *          this task was the last that it waited for.
 */
HOTPATCH_INLINE void hotpatch_safe_point(void)
{
	struct hotpatch_task *self = HOTPATCH_ARCH_SELF();

	/* Relaxed: the slow path loads it again, with its order. */
	if (__builtin_expect(__atomic_load_n(&self->seen, __ATOMIC_RELAXED) !=
				     __atomic_load_n(&hotpatch_generation,
						     __ATOMIC_RELAXED),
			     0)) {
		void *frame;

		HOTPATCH_ARCH_RECORD_FRAME(frame);
		hotpatch_safe_point_slow(frame);
	}
}

/**
 * struct hotpatch_task_options - how to declare a fiber
 * @size:       sizeof(struct hotpatch_task_options)
 * @name:       shown where the fiber is in the way; up to 15 bytes, or NULL
 * @stack:      lowest address of the fiber's stack, or NULL if unknown: then
 *              code that replaced redirected functions stays mapped as long as
 *              the fiber exists
 * @stack_size: its size in bytes
 */
struct hotpatch_task_options {
	size_t size;
	const char *name;
	const void *stack;
	size_t stack_size;
};

/**
 * hotpatch_task_create() - declare a fiber
 * @options: or NULL
 *
 * A fiber has a view of its own, which goes with it from thread to thread.
 * Its scheduler calls hotpatch_task_switch() whenever it switches.
 *
 * Context: any thread; does not block.
 * Return:  the task, at rest; NULL when no record could be had.
 */
HOTPATCH_API HOTPATCH_MUST_USE struct hotpatch_task *
hotpatch_task_create(const struct hotpatch_task_options *options);

/**
 * hotpatch_task_switch() - say which task this thread runs from now on
 * @task: from hotpatch_task_create(); NULL for the thread itself
 *
 * Context: the thread that is about to switch, before or after it does, with
 *          no enter, leave, safe point or patchable call in between. Where a
 *          signal handler may do one of these, say it on the thread's own
 *          stack, of a fiber whose stack is known.
 */
HOTPATCH_API void hotpatch_task_switch(struct hotpatch_task *task);

/**
 * hotpatch_task_key() - say for whom the task works from now on
 * @key: such as the number of a session or of a customer
 *
 * While a patch is tried on a share of all work (struct hotpatch_canary), the
 * key decides whether the task sees it: the same key gets the same answer, in
 * each thread and each process, and keeps it as the share is raised. It counts
 * from the task's next outermost enter or safe point; an open section keeps its
 * view. A task that never said so has a number of its own: a thread its id.
 *
 * Context: any thread, in a section or not; the current task's. Does not block.
 *          async-signal-safe once the thread has entered a section, and then it
 *          changes the key of the task that it interrupts.
 */
HOTPATCH_API void hotpatch_task_key(uint64_t key);

/**
 * hotpatch_task_destroy() - forget a fiber
 * @task: from hotpatch_task_create(), run by no thread; NULL does nothing
 *
 * A section that it left open ends with it.
 */
HOTPATCH_API void hotpatch_task_destroy(struct hotpatch_task *task);

HOTPATCH_END_DECLS

#endif
