/* SPDX-License-Identifier: MIT */
/*
 * Faults in several ways, as its host asks for.
 */
#include "../../integration/contain_host.h"

#include <hotpatch/bundle.h>
#include <hotpatch/section.h>
#include <stdint.h>
#include <string.h>

HOTPATCH_BUNDLE("bad", 1);

HOTPATCH_IMPORT(enum fault, wanted);
HOTPATCH_IMPORT(int, attempts);

/* Not folded away: the compiler knows nothing of it. */
static volatile int zero;

__attribute__((noinline, no_sanitize("undefined"))) static int fault(void)
{
	switch (HOTPATCH_IMPORTED(wanted)) {
	case FAULT_NONE:
		break;
	case FAULT_MEMORY:
		return *(volatile int *)(uintptr_t)zero;
	case FAULT_DIVISION:
		return 7 / zero;
	case FAULT_INSTRUCTION:
		__builtin_trap();
	case FAULT_BELOW:
		return (int)strlen((const char *)(uintptr_t)zero);
	}
	return 0;
}

HOTPATCH_REPLACE(int, price, (int net, double rate))
{
	HOTPATCH_IMPORTED(attempts)++;
	return net + (int)rate + 1000 + fault();
}

HOTPATCH_REPLACE(void, note, (int net))
{
	(void)net;
	HOTPATCH_IMPORTED(attempts)++;
	fault();
}

/* A section of its own is open when it faults. */
HOTPATCH_REPLACE(int, nested, (int depth))
{
	HOTPATCH_IMPORTED(attempts)++;
	hotpatch_enter();
	fault();
	hotpatch_leave();
	return 1000 + depth;
}
