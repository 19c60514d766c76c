/* SPDX-License-Identifier: MIT */
/*
 * Another patch that calls itself "a".
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("a", 9);

HOTPATCH_REPLACE(char, letter, (void))
{
	return 'Z';
}
