/* SPDX-License-Identifier: MIT */
/*
 * Every function answers 3, instead of what other patches answer, and the
 * bundle says what has become of it.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("replacing", 3);
HOTPATCH_REPLACES("*");

HOTPATCH_PREPARE(context)
{
	(void)context;
}

HOTPATCH_COMMIT(context)
{
	(void)context;
}

HOTPATCH_BEFORE_REVERT(context)
{
	(void)context;
}

HOTPATCH_AFTER_REVERT(context)
{
	(void)context;
}

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 3;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 3;
}
