/* SPDX-License-Identifier: MIT */
/*
 * A bundle whose constructor and destructor call a function of the test, whose
 * address they find in the environment.
 */
#include <hotpatch/bundle.h>

#include <stdint.h>
#include <stdlib.h>

HOTPATCH_BUNDLE("constructor", 1);
HOTPATCH_TARGET("", "0123456789abcdef");

HOTPATCH_REPLACE_STATIC("server.c", int, helper, (int number))
{
	return number;
}

static void call(const char *variable)
{
	const char *text = getenv(variable);
	void (*function)(void);

	if (!text)
		return;
	function = (void (*)(void))(uintptr_t)strtoull(text, NULL, 16);
	function();
}

__attribute__((constructor)) static void begin(void)
{
	call("HOTPATCH_TEST_CONSTRUCTOR");
}

__attribute__((destructor)) static void end(void)
{
	call("HOTPATCH_TEST_DESTRUCTOR");
}
