/* SPDX-License-Identifier: MIT */
/*
 * The program whose functions are redirected. Nothing runs it.
 */
#include "shared.h"

#include <hotpatch/hotpatch.h>

/* Neither copied nor specialised. */
#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

static volatile int hidden = 3;

ALONE int weigh(struct item *item, int count)
{
	hidden += count;
	return (int)item->size * count;
}

ALONE static int check(int value)
{
	return hidden > value ? value : -1;
}

ALONE static int twin(int value)
{
	return hidden ^ value;
}

static inline __attribute__((always_inline)) int dissolved(int value)
{
	return hidden * value;
}

/* The compiler has copies of it in those who call it. */
int small(int value)
{
	return value + hidden;
}

/* A round of the loop cannot be told from a call. */
__attribute__((naked)) int loops(int value)
{
	__asm__("1: incl %edi\n"
		"cmpl $10, %edi\n"
		"jne 1b\n"
		"movl %edi, %eax\n"
		"ret");
}

HOTPATCH_FUNCTION(int, ready, (int value))
{
	return value;
}

int main(void)
{
	struct item item = {1, 2};

	return weigh(&item, check(1)) + twin(2) + dissolved(3) + small(4) +
	       loops(5) + ready(6);
}
