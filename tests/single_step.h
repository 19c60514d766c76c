/* SPDX-License-Identifier: MIT */
/*
 * Interrupts a piece of code before each of its instructions in turn, by the
 * CPU's trap flag: what a signal handler that comes at the worst moment sees,
 * without leaving that moment to chance. Only for x86-64, and not under the
 * thread sanitizer, whose own code must not be interrupted.
 */
#ifndef HOTPATCH_TEST_SINGLE_STEP_H
#define HOTPATCH_TEST_SINGLE_STEP_H

#include "sanitized.h"

#if defined(__x86_64__) && !UNDER_TSAN
#define HAVE_SINGLE_STEP 1

/* From one interrupted instruction to the next one; the sanitizer makes
 * thousands of a few. */
#define STEP_STRIDE (UNDER_ASAN ? 31 : 1)

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The handler runs @step_work before instruction @step_at, or before each if
 * that is 0. */
static void (*step_work)(void);
static unsigned long step_at;
static volatile unsigned long step_count;

/* Below the red zone, which a leaf function may use. */
#define STEP_FLAGS_(operation)                                                 \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n"                           \
			 "pushfq\n" operation " (%%rsp)\n"                     \
			 "popfq\n"                                             \
			 "leaq 128(%%rsp), %%rsp\n" ::                         \
				 : "memory", "cc")

#define step_on() STEP_FLAGS_("orq $0x100,")
#define step_off() STEP_FLAGS_("andq $~0x100,")

static void step_handler(int number)
{
	(void)number;
	step_count++;
	if (step_at == 0 || step_count == step_at)
		step_work();
}

static void step_prepare(void (*work)(void), unsigned long at)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = step_handler;
	sigaction(SIGTRAP, &action, NULL);
	step_work = work;
	step_at = at;
	step_count = 0;
}

/* True if the code was long enough for @step_at. */
static inline bool step_was_reached(void)
{
	return step_count >= step_at;
}

#endif

#endif
