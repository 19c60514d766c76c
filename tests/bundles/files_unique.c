/* SPDX-License-Identifier: MIT */
/*
 * A bundle that the loader never unmaps, because it defines and uses a unique
 * symbol, as an inline variable of C++ does.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("unique", 1);
HOTPATCH_TARGET("", "0123456789abcdef");

__asm__(".pushsection .data\n"
	".globl hotpatch_test_unique\n"
	".type hotpatch_test_unique, %gnu_unique_object\n"
	".size hotpatch_test_unique, 4\n"
	".p2align 2\n"
	"hotpatch_test_unique:\n"
	".long 0\n"
	".popsection\n");

extern int hotpatch_test_unique;

HOTPATCH_REPLACE_STATIC("server.c", int, helper, (int number))
{
	return number + hotpatch_test_unique++;
}
