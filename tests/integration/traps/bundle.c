/* SPDX-License-Identifier: MIT */
/*
 * Gives a function a body that returns the same and changes every register that
 * a call may change.
 */
#include <hotpatch/bundle.h>

#ifdef __x86_64__
#define SPOIL()                                                                \
	__asm__ volatile("mov $0x5a5a5a5a, %%rax\n\t"                          \
			 "mov %%rax, %%rcx\n\t"                                \
			 "mov %%rax, %%rdx\n\t"                                \
			 "mov %%rax, %%rsi\n\t"                                \
			 "mov %%rax, %%rdi\n\t"                                \
			 "mov %%rax, %%r8\n\t"                                 \
			 "mov %%rax, %%r9\n\t"                                 \
			 "mov %%rax, %%r10\n\t"                                \
			 "mov %%rax, %%r11" ::                                 \
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r8",    \
				   "r9", "r10", "r11")
#else
#define SPOIL() __asm__ volatile("" ::: "memory")
#endif

HOTPATCH_BUNDLE("spoil", 1);

#ifdef RESULT
HOTPATCH_REDIRECT(int, result, (int value))
{
	return value * 2;
}
#endif

#if defined(LEAF)
HOTPATCH_REDIRECT(int, leaf, (int value))
{
	SPOIL();
	return value * 3;
}
#elif defined(COUNT)
HOTPATCH_REDIRECT(void, count, (void))
{
	SPOIL();
}
#elif defined(INNER)
HOTPATCH_REDIRECT(int, inner, (int value))
{
	SPOIL();
	return value * 5;
}
#elif defined(TWIN)
HOTPATCH_REDIRECT_STATIC("host.c", int, local_twin, (int value))
{
	return value;
}
#elif defined(OTHER_TWIN)
HOTPATCH_REDIRECT_STATIC("host.c", int, other_local_twin, (int value))
{
	return value;
}
#else
HOTPATCH_REDIRECT(int, lonely, (int value))
{
	SPOIL();
	return value;
}
#endif
