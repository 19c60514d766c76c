/* SPDX-License-Identifier: MIT */
/*
 * A function of which gcc makes a clone for what most callers pass.
 */
#include <stdio.h>

int cloned(int value, int mode);

__attribute__((noinline)) int cloned(int value, int mode)
{
	int i;

	for (i = 0; i < mode; i++) {
		value = value * 5 + i;
		if (value > 100)
			printf("%d %d\n", value, mode);
	}
	return value;
}

int use_one(int value);
int use_two(int value);

__attribute__((noinline)) int use_one(int value)
{
	return cloned(value, 3) + cloned(value + 1, 3);
}

__attribute__((noinline)) int use_two(int value)
{
	return cloned(value, 3) * 2;
}

#ifdef __OPTIMIZE__
int (*volatile address)(int value, int mode) = cloned;
#endif
