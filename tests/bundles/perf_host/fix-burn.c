/* SPDX-License-Identifier: MIT */
/*
 * The replacement that perf.sh finds in samples: it computes itself, and has
 * the host compute.
 */
#include <hotpatch/bundle.h>

unsigned long burn(unsigned long value);
unsigned long perf_host_burn(unsigned long value);

HOTPATCH_BUNDLE("fix-burn", 1);

HOTPATCH_REPLACE(unsigned long, burn, (unsigned long value))
{
	volatile unsigned long sum = perf_host_burn(value);
	unsigned long i;

	for (i = 0; i < 100000000u; i++)
		sum += i;
	return sum | 1;
}
