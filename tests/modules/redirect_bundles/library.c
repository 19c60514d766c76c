/* SPDX-License-Identifier: MIT */
/*
 * A library without any patchable function.
 */

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

int library_sum(int a, int b);
int library_twice(int a);

ALONE int library_sum(int a, int b)
{
	volatile int sum = a;

	return sum + b;
}

static ALONE int twice(int a)
{
	volatile int copy = a;

	return copy * 2;
}

int library_twice(int a)
{
	int (*volatile call)(int) = twice;

	return call(a) + 0;
}
