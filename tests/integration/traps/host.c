/* SPDX-License-Identifier: MIT */
/*
 * Functions that nobody prepared, each with what a compiler likes to do to it.
 * Prints what they return, before and with the bundle that is named.
 */
#include <hotpatch/hotpatch.h>

#include <stdio.h>
#include <stdlib.h>

#define ALONE __attribute__((noinline))

int state;

/* Leaves most registers alone, and its callers know that. */
ALONE int leaf(int value)
{
	state += value;
	return value * 3;
}

/* Keeps two arguments where they are across the call. */
ALONE int direct(int a, int b, int c)
{
	int tripled = leaf(a);

	return tripled + b * c;
}

static ALONE void count(void)
{
	state++;
}

/* Keeps its result where the function has none. */
ALONE int result(int value)
{
	count();
	return value * 2;
}

static ALONE int inner(int value)
{
	return value * 5 + state;
}

static ALONE int middle(int value)
{
	return inner(value + 1) - 1;
}

/* Relies on what a function leaves alone that another one calls. */
ALONE int indirect(int a, int b, int c)
{
	int through = middle(a);

	return through + b * c;
}

/* A loop, a switch and a call of something unknown behind the call. */
ALONE int branched(int a, int b, int (*call)(int value))
{
	int sum = leaf(a);

	switch (b & 7) {
	case 0:
		return sum + 1;
	case 1:
		return call(sum);
	case 2:
		return sum * a;
	case 3:
		return state;
	case 4:
		return sum - a;
	case 5:
		return a * b;
	default:
		return sum;
	}
}

/* Called by nobody who could know it. */
ALONE int lonely(int value)
{
	return printf("%s", "") + value;
}

/* Two of the same body. */
ALONE int twin(int value)
{
	return value * 9 + state;
}

ALONE int other_twin(int value)
{
	return value * 9 + state;
}

static ALONE int local_twin(int value)
{
	return value * 11 + state;
}

static ALONE int other_local_twin(int value)
{
	return value * 11 + state;
}

/* An alias is the same function by another name, and no trap. */
int aliased(int value);
ALONE int aliased(int value)
{
	return value + 13 + state;
}
int alias(int value) __attribute__((alias("aliased")));

/* What a jump to another function is in the source. */
int forward(int value);
ALONE int forward(int value)
{
	return lonely(value);
}

static inline int small(int value)
{
	return value + 17;
}

int (*volatile address_of_small)(int value) = small;

ALONE int with_a_copy(int value)
{
	return small(value) * 2;
}

#ifndef QUIET
static int call_bundle(const char *path)
{
	struct hotpatch_error err = {.sentence = ""};
	struct hotpatch_patch *patch;
	enum hotpatch_status status;

	status = hotpatch_patch_open(path, NULL, &patch, &err);
	if (status == HOTPATCH_OK)
		status = hotpatch_patch_apply(patch, NULL, &err);
	if (status == HOTPATCH_OK)
		status = hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 10000,
					     &err);
	if (status != HOTPATCH_OK)
		fprintf(stderr, "%s\n", err.sentence);
	return status == HOTPATCH_OK;
}
#else
static int call_bundle(const char *path)
{
	return !!path;
}
#endif

static void show(const char *when)
{
	printf("%s: direct %d, result %d, indirect %d, lonely %d\n", when,
	       direct(1, 2, 3), result(4), indirect(1, 2, 3), lonely(5));
}

int main(int argc, char **argv)
{
	state = argc - argc;
	show("before");
	state = 0;
	if (argc > 1 && !call_bundle(argv[1]))
		return EXIT_FAILURE;
	show("after");
	return twin(argc) + other_twin(argc + 1) + local_twin(argc) +
				       other_local_twin(argc + 1) +
				       aliased(argc) + alias(argc) +
				       forward(argc) + with_a_copy(argc) +
				       branched(argc, argc, address_of_small) ==
			       0 ?
		       EXIT_FAILURE :
		       EXIT_SUCCESS;
}
