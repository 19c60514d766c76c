/* SPDX-License-Identifier: MIT */
/*
 * It has a unique symbol, as static members of C++ templates are.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("unique", 7);

__asm__(".data\n"
	".globl the_only_one\n"
	".type the_only_one, %gnu_unique_object\n"
	".size the_only_one, 4\n"
	"the_only_one: .long 1\n"
	".previous\n");

/* It is looked up by name, which is what pins the module. */
extern int the_only_one __attribute__((visibility("default")));

HOTPATCH_REPLACE(void, leave_something, (int *destroyed))
{
	*destroyed = the_only_one + 1;
}
