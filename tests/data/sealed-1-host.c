/* SPDX-License-Identifier: MIT */
/*
 * The host of sealed-1.so.
 */
#include <hotpatch/hotpatch.h>

static volatile int hidden = 3;
static volatile int twin = 4;
static __thread volatile long local = 5;

HOTPATCH_FUNCTION(int, answer, (int value))
{
	return value + hidden + twin + (int)local;
}

int main(void)
{
	return answer(1);
}
