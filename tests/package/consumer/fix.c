/* SPDX-License-Identifier: MIT */
/*
 * Replaces the host's function by one that calls the old body, and a function
 * of the host by name, and counts the questions in shadow data, for which it
 * needs functions of the library.
 */
#include "answer.h"

#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>

HOTPATCH_BUNDLE("fix", 1);

HOTPATCH_SHADOW(int, questions, 1)

HOTPATCH_REPLACE(int, answer, (int question))
{
	int *count;

	if (questions_get_or_attach(&topic, NULL, &count, NULL) != HOTPATCH_OK)
		return -1;
	++*count;
	return helper(HOTPATCH_ORIGINAL(answer)(question));
}
