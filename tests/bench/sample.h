/* SPDX-License-Identifier: MIT */
/*
 * How a benchmark hands over what it measured: each sample is a JSON object on
 * a line of its own. run.py makes the tables of them, and knows their names.
 */
#ifndef HOTPATCH_BENCH_SAMPLE_H
#define HOTPATCH_BENCH_SAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sample(const char *table, const char *row,
			  const char *column, double value)
{
	printf("{\"table\": \"%s\", \"row\": \"%s\", \"column\": \"%s\", "
	       "\"value\": %.6g}\n",
	       table, row, column, value);
}

/* Goes round @count times; the compiler can neither leave a round out nor
 * make one of two. */
#define LOOP(count, work)                                                      \
	do {                                                                   \
		unsigned long i;                                               \
                                                                               \
		for (i = 0; i < (count); i++) {                                \
			__asm__ volatile("" : "+r"(i));                        \
			work;                                                  \
		}                                                              \
	} while (0)

#endif
