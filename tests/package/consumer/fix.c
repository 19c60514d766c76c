/* SPDX-License-Identifier: MIT */
/*
 * Replaces the host's function by one that calls the old body, and a function
 * of the host by name.
 */
#include "answer.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("fix", 1);

HOTPATCH_REPLACE(int, answer, (int question))
{
	return helper(HOTPATCH_ORIGINAL(answer)(question));
}
