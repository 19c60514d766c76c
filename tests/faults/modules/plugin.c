/* SPDX-License-Identifier: MIT */
/*
 * A second module to redirect functions in: a plain one, and one that a
 * resolver chooses.
 */
#include <hotpatch/api.h>

HOTPATCH_API int plugin_plain(int x);
HOTPATCH_API int plugin_chosen(int x);
HOTPATCH_API int plugin_kept(int x);

static int choice(int x)
{
	volatile int copy = x;

	return copy + 1;
}

/* The dynamic loader calls it before the module is ready for anything. */
__attribute__((used,
	       no_sanitize("address", "thread",
			   "undefined"))) static int (*choose(void))(int x)
{
	return choice;
}

int plugin_plain(int x)
{
	volatile int copy = x;

	return copy + 1;
}

/* Its first instruction has room for a jump, whatever the compiler does. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl plugin_kept\n"
	".type plugin_kept, @function\n"
	"plugin_kept: mov $1, %eax\n"
	"add %edi, %eax\n"
	"ret\n"
	".size plugin_kept, . - plugin_kept\n"
	".popsection\n");

int plugin_chosen(int x) __attribute__((ifunc("choose")));
