/* SPDX-License-Identifier: MIT */
/*
 * A bundle whose functions all answer VERSION, after a while, so that threads
 * are in its code when it is to be unmapped.
 */
#include <hotpatch/bundle.h>

#ifndef CONSISTENCY
#define CONSISTENCY HOTPATCH_PER_TASK
#endif

HOTPATCH_BUNDLE_WITH(NAME, VERSION, CONSISTENCY, 0);

extern void linger(void);
extern int third_answer(int depth);

HOTPATCH_REPLACE(int, first_answer, (void))
{
	return VERSION;
}

HOTPATCH_REPLACE(int, second_answer, (int hurry))
{
	if (!hurry)
		linger();
	return VERSION;
}

HOTPATCH_REPLACE(int, third_answer, (int depth))
{
	return depth ? third_answer(depth - 1) : VERSION;
}
