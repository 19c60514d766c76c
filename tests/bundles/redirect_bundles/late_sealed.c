/* SPDX-License-Identifier: MIT */
/*
 * For the program, and for a library that may come later, also a static one.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("late-sealed", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}

HOTPATCH_REDIRECT_IN("library.so", int, library_sum, (int a, int b))
{
	return HOTPATCH_ORIGINAL(library_sum)(a, b) + 1000;
}

HOTPATCH_REDIRECT_STATIC_IN("library.so", "library.c", int, twice, (int a))
{
	return HOTPATCH_ORIGINAL(twice)(a) + 1;
}
