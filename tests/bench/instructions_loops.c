/* SPDX-License-Identifier: MIT */
/*
 * The loops. Each has the same frame around its work, so that the empty one
 * tells what the frame costs.
 */
#include "instructions.h"

#include <string.h>

HOTPATCH_RESTARTABLE(int, patchable, (int number), (number))

/* Keeps the loop, and what it counts in a register. */
#define LOOP(work)                                                             \
	do {                                                                   \
		for (i = 0; i < count; i++) {                                  \
			__asm__ volatile("" : "+r"(i));                        \
			work;                                                  \
		}                                                              \
	} while (0)

static void run_sections(unsigned long count)
{
	unsigned long i;

	LOOP({
		hotpatch_enter();
		hotpatch_leave();
	});
}

static void run_safe_points(unsigned long count)
{
	unsigned long i;

	hotpatch_enter();
	LOOP(hotpatch_safe_point());
	hotpatch_leave();
}

static void run_calls(const char *what, unsigned long count)
{
	unsigned long i;

	if (strcmp(what, "plain") == 0)
		LOOP(plain((int)i));
	else if (strcmp(what, "entry") == 0)
		LOOP(patchable((int)i));
	else if (strcmp(what, "pointer") == 0)
		/* Relaxed: as HOTPATCH_CALL(), which it is compared with. */
		LOOP(__atomic_load_n(&pointer, __ATOMIC_RELAXED)((int)i));
	else if (strcmp(what, "macro") == 0)
		LOOP(HOTPATCH_CALL(patchable)((int)i));
	else if (strcmp(what, "restartable") == 0)
		LOOP(HOTPATCH_RESTARTABLE_CALL(patchable)((int)i));
	else if (strcmp(what, "empty") == 0)
		LOOP((void)0);
}

void run_loop(const char *what, unsigned long count)
{
	if (strcmp(what, "section") == 0)
		run_sections(count);
	else if (strcmp(what, "safe-point") == 0)
		run_safe_points(count);
	else
		run_calls(what, count);
}
