/* SPDX-License-Identifier: MIT */
/*
 * Uses every macro and inline function that hosts have; only compiled, as C
 * and as C++.
 */
#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>

#ifdef __cplusplus
extern "C" {
#endif
struct pair {
	long first;
	long second;
};
int declared(int number);
int use(int number);
HOTPATCH_DECLARE(int, elsewhere, (int number));
#ifdef __cplusplus
}
#endif

HOTPATCH_FUNCTION(int, declared, (int number))
{
	return number;
}

HOTPATCH_FUNCTION(struct pair, by_value,
		  (struct pair pair, const char *text, ...))
{
	pair.first += text[0];
	return pair;
}

HOTPATCH_FUNCTION(void, without_parameters, (void))
{
}

HOTPATCH_STATIC_FUNCTION(int, local, (int (*callback)(void *), void *closure))
{
	return callback(closure);
}

static int callback(void *closure)
{
	return closure != 0;
}

int use(int number)
{
	struct pair pair = {1, 2};

	hotpatch_enter();
	hotpatch_safe_point();
	number = HOTPATCH_CALL(declared)(number) +
		 HOTPATCH_CALL(elsewhere)(number) + local(callback, 0);
	without_parameters();
	pair = by_value(pair, "%d", 1);
	hotpatch_leave();
	return number + (int)pair.first + (hotpatch_poll() != 0);
}
