/* SPDX-License-Identifier: MIT */
/*
 * Fibers that two threads take turns to run: one may enter on the one and
 * leave on the other.
 */
#include "../../../lib/task.h"
#include "torture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#define FIBERS 4
#define FIBER_STACK ((size_t)256 << 10)

/* The thread sanitizer does not follow contexts that are switched. */
#if UNDER_TSAN

void abandon_fibers(void)
{
}

void *run_fibers(void *index)
{
	(void)index;
	while (!is_over()) {
		poll(NULL, 0, 10);
		quiet_point(false);
	}
	return NULL;
}

#else

struct fiber {
	pthread_mutex_t lock; /* of the thread that runs it */
	struct hotpatch_task *task;
	ucontext_t context;
	ucontext_t *back;
	void *stack;
	bool in_section;
};

static struct fiber fibers[FIBERS];
static __thread struct fiber *current;
static pthread_mutex_t makes = PTHREAD_MUTEX_INITIALIZER;
static unsigned int users;

/* Not inlined: a fiber may come back on another thread. */
__attribute__((noinline)) static void yield_to_thread(struct fiber *self)
{
	swapcontext(&self->context, self->back);
}

static void run_fiber(void)
{
	struct fiber *self = current;
	struct section section;

	for (;;) {
		self->in_section = true;
		section_enter(&section);
		look(&section);
		yield_to_thread(self);
		look(&section);
		section_safe_point(&section);
		look(&section);
		yield_to_thread(self);
		section_leave(&section);
		self->in_section = false;
		yield_to_thread(self);
	}
}

static void make_fiber(struct fiber *fiber)
{
	struct hotpatch_task_options task_options = {
		.size = sizeof(task_options),
		.name = "fiber",
		.stack_size = FIBER_STACK,
	};

	fiber->stack = mmap(NULL, FIBER_STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fiber->stack == MAP_FAILED)
		fail("no memory for a fiber", errno, 0);
	task_options.stack = fiber->stack;
	fiber->task = hotpatch_task_create(&task_options);
	if (!fiber->task)
		fail("no record for a fiber", 0, 0);
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = FIBER_STACK;
	makecontext(&fiber->context, run_fiber, 0);
	pthread_mutex_init(&fiber->lock, NULL);
}

static void resume(struct fiber *fiber)
{
	ucontext_t here;

	fiber->back = &here;
	current = fiber;
	hotpatch_task_switch(fiber->task);
	swapcontext(&here, &fiber->context);
	hotpatch_task_switch(NULL);
}

static void run_some(uint64_t *state, bool to_rest)
{
	uint32_t i;

	for (i = 0; i < FIBERS; i++) {
		if (!to_rest && roll(state, 2))
			continue;
		if (pthread_mutex_trylock(&fibers[i].lock) != 0)
			continue;
		do
			resume(&fibers[i]);
		while (to_rest && fibers[i].in_section);
		pthread_mutex_unlock(&fibers[i].lock);
	}
}

/* The first makes them, the last destroys them. */
static void take_part(void)
{
	size_t i;

	pthread_mutex_lock(&makes);
	for (i = 0; users == 0 && i < FIBERS; i++)
		make_fiber(&fibers[i]);
	users++;
	pthread_mutex_unlock(&makes);
}

static void take_leave(void)
{
	size_t i;

	pthread_mutex_lock(&makes);
	users--;
	for (i = 0; users == 0 && i < FIBERS; i++) {
		hotpatch_task_destroy(fibers[i].task);
		munmap(fibers[i].stack, FIBER_STACK);
	}
	pthread_mutex_unlock(&makes);
}

/* In a child, which will not run those that were suspended in a section. The
 * library has given back those that another thread ran. */
void abandon_fibers(void)
{
	size_t i;

	for (i = 0; i < FIBERS; i++)
		if (fibers[i].task &&
		    ((struct hp_task *)fibers[i].task)->kind == HP_TASK_FIBER)
			hotpatch_task_destroy(fibers[i].task);
}

void *run_fibers(void *index)
{
	uint64_t state = options.seed + (uintptr_t)index;
	uint32_t count = 0;

	chance_start((unsigned int)(uintptr_t)index);
	take_part();
	while (!is_over()) {
		/* To rest where it may become quiet. */
		run_some(&state, ++count % 16 == 0);
		if (roll(&state, 8) == 0)
			nap(&state, 200);
		if (count % 16 == 0)
			quiet_point(false);
	}
	take_leave();
	return NULL;
}

#endif
