/* SPDX-License-Identifier: MIT */
/*
 * What is applied and reverted while hostile clients are at the socket.
 */
#include <hotpatch/bundle.h>

int hostile_answer(void);

HOTPATCH_BUNDLE("hostile-fix", 1);

HOTPATCH_REPLACE(int, hostile_answer, (void))
{
	return 2;
}
