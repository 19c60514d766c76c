/* SPDX-License-Identifier: MIT */
/*
 * Uses every macro that bundles have; only compiled, as C and as C++.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE_WITH("every-macro", 7, HOTPATCH_IMMEDIATE,
		     HOTPATCH_FLAG_CONSTRUCTORS);
HOTPATCH_TARGET("", "0123456789abcdef0123456789abcdef01234567");
HOTPATCH_TARGET("libother.so.1", "0123456789abcdef");
HOTPATCH_REPLACES("one");
HOTPATCH_REPLACES("two");
HOTPATCH_REQUIRES("three");
HOTPATCH_CONFLICTS("four");

struct pair {
	long first;
	long second;
};

HOTPATCH_REPLACE(int, declared, (int number))
{
	return HOTPATCH_ORIGINAL(declared)(number) + 1;
}

HOTPATCH_REPLACE(struct pair, by_value,
		 (struct pair pair, const char *text, ...))
{
	pair.second += text[0];
	return pair;
}

HOTPATCH_REPLACE_IN("libother.so.1", void, without_parameters, (void))
{
	HOTPATCH_ORIGINAL(without_parameters)();
}

HOTPATCH_REPLACE_STATIC("server.c", int, local,
			(int (*callback)(void *), void *closure))
{
	return HOTPATCH_ORIGINAL(local)(callback, closure);
}
