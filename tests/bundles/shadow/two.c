/* SPDX-License-Identifier: MIT */
/* The same with a destructor of its own; takes over from the first. */
#define BUNDLE_NAME "two"
#define DESTROYED destroyed_by_two
#include "one.c"

HOTPATCH_REPLACES("one");
