/* SPDX-License-Identifier: MIT */
/*
 * With callbacks for a library that nobody prepared.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("called", 1);

HOTPATCH_REDIRECT(int, plain, (int x))
{
	return HOTPATCH_ORIGINAL(plain)(x) + 100;
}

HOTPATCH_REDIRECT_IN("library.so", int, library_sum, (int a, int b))
{
	return HOTPATCH_ORIGINAL(library_sum)(a, b) + 2000;
}

HOTPATCH_PREPARE_IN("library.so", context)
{
	(void)context;
}

HOTPATCH_COMMIT_IN("library.so", context)
{
	(void)context;
}

HOTPATCH_BEFORE_REVERT_IN("library.so", context)
{
	(void)context;
}

HOTPATCH_AFTER_REVERT_IN("library.so", context)
{
	(void)context;
}
