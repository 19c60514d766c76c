/* SPDX-License-Identifier: MIT */
/*
 * Its constructor calls the host, which tries to change patches from there.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("caller", 4, HOTPATCH_PER_TASK,
		     HOTPATCH_FLAG_CONSTRUCTORS);

extern void called_by_constructor(void);

__attribute__((constructor)) static void constructor(void)
{
	called_by_constructor();
}

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 1;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 1;
}
