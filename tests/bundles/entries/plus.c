/* SPDX-License-Identifier: MIT */
/*
 * Every function answers a thousand more; nested calls count double.
 */
#include <hotpatch/bundle.h>

#include "../../integration/entries/entries.h"

#include <stdarg.h>

#define EXTRA 1000

HOTPATCH_BUNDLE("plus", 1);

HOTPATCH_REPLACE(long, sum_ten,
		 (long a, long b, long c, long d, long e, long f, long g,
		  long h, long i, long j))
{
	return HOTPATCH_ORIGINAL(sum_ten)(a, b, c, d, e, f, g, h, i, j) + EXTRA;
}

HOTPATCH_REPLACE(double, weigh,
		 (int a, double b, float c, long d, double e, double f,
		  double g, double h, double i, double j, double k, double l))
{
	return HOTPATCH_ORIGINAL(weigh)(a, b, c, d, e, f, g, h, i, j, k, l) +
	       EXTRA;
}

HOTPATCH_REPLACE(double, sum_list, (int count, ...))
{
	double sum = EXTRA;
	va_list list;
	int i;

	va_start(list, count);
	for (i = 0; i < count; i++) {
		sum += va_arg(list, int);
		sum += va_arg(list, double);
	}
	va_end(list);
	return sum;
}

HOTPATCH_REPLACE(struct large, make_large, (long first))
{
	return HOTPATCH_ORIGINAL(make_large)(first + EXTRA);
}

HOTPATCH_REPLACE(struct mixed, turn_mixed,
		 (struct mixed mixed, struct small small))
{
	struct mixed turned = HOTPATCH_ORIGINAL(turn_mixed)(mixed, small);

	turned.rate += EXTRA;
	turned.count += EXTRA;
	return turned;
}

HOTPATCH_REPLACE(struct floats, scale, (struct floats floats, float factor))
{
	struct floats scaled = HOTPATCH_ORIGINAL(scale)(floats, factor);

	scaled.z += EXTRA;
	return scaled;
}

HOTPATCH_REPLACE(double, total,
		 (struct large large, struct floats floats, struct mixed mixed))
{
	return HOTPATCH_ORIGINAL(total)(large, floats, mixed) + EXTRA;
}

HOTPATCH_REPLACE(long double, halve, (long double number))
{
	return HOTPATCH_ORIGINAL(halve)(number) + EXTRA;
}

HOTPATCH_REPLACE(long, depth, (long levels))
{
	return levels ? 2 + depth(levels - 1) : 0;
}

HOTPATCH_REPLACE_STATIC("entries.c", int, shade, (void))
{
	return 10 + EXTRA;
}

HOTPATCH_REPLACE(void *, address_of_depth, (void))
{
	return (void *)(uintptr_t)depth;
}

#if defined(__x86_64__)
static void probe__replacement(void) __attribute__((naked));
HOTPATCH_REPLACE(void, probe, (void))
{
	__asm__(STORE_REGISTERS("2"));
}
#endif
