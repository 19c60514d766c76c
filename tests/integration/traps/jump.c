/* SPDX-License-Identifier: MIT */
/*
 * Two exported functions of one body: large enough that gcc makes the second one
 * a jump to the first. And one that is such a jump in the source.
 */
#include <stdio.h>

int sum;
int values[64];

#define BODY(count)                                                            \
	int i;                                                                 \
                                                                               \
	for (i = 0; i < (count); i++) {                                        \
		sum += values[i & 63] * 7;                                     \
		if (sum > 1000)                                                \
			printf("%d", sum);                                     \
	}                                                                      \
	printf("%d", sum);                                                     \
	return sum + (count);

int first(int count);
int second(int count);
int wrapper(int count);

int first(int count)
{
	BODY(count)
}

int second(int count)
{
	BODY(count)
}

__attribute__((noinline)) int wrapper(int count)
{
	return first(count);
}

int main(int argc, char **argv)
{
	(void)argv;
	return first(argc) + second(argc + 2) + wrapper(argc);
}
