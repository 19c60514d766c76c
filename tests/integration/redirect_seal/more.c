/* SPDX-License-Identifier: MIT */
/*
 * A second source file with a static function of a name that the first has.
 */

/* Neither copied nor specialised. */
#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

int more(int value);

static volatile int seen;

ALONE static int twin(int value)
{
	return seen += value;
}

int more(int value)
{
	return twin(value) + 1;
}
