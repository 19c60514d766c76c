/* SPDX-License-Identifier: MIT */
/*
 * The program that the bundles of the seal test are compared with. Nothing
 * runs it.
 */
#include "shared.h"

#include <hotpatch/hotpatch.h>

int shortcut(struct session *session);
int other(int value);

#ifdef NO_INNER
#error "the host has all types"
#endif

static volatile int hidden = 3;
volatile __thread int local;

__attribute__((noinline)) static int check(int value)
{
	return hidden > value ? value : -1;
}

#ifdef CLONED
/* As the compiler would name a copy of its own. */
int clone(int value) __asm__("handle__original.constprop.0");
__attribute__((noinline)) int clone(int value)
{
	return check(value);
}
#endif

#ifdef SHORTENED
/* Wants one member of what it gets, so that a copy may get only that. */
__attribute__((noinline)) static int scan(const struct session *session,
					  int count)
{
	int sum = session->count;

	while (count-- > 0)
		sum += check(sum);
	return sum;
}

int scan_both(const struct session *session);
int scan_both(const struct session *session)
{
	return scan(session, hidden) + scan(session + 1, local);
}
#endif

HOTPATCH_FUNCTION(int, handle, (struct session * session, int count))
{
	static volatile int calls;
	int i;

#ifdef SPLIT
	/* Cheap enough to be inlined while the rest becomes a part. */
	if (!count)
		return 0;
#endif
	calls++;
	for (i = 0; i < count; i++)
		session->count += check(i) + session->far_away->distance;
	if (session->inner)
		session->total += session->inner->value;
	return session->count;
}

int plain(int value)
{
#ifdef SECOND
	return hidden - value;
#else
	return hidden + value;
#endif
}

int other(int value)
{
	return check(value) + local;
}

/* Reaches the body past its entry, where the compiler may inline or clone. */
HOTPATCH_FUNCTION(int, shortcut, (struct session * session))
{
#ifdef DIRECT
	return handle__original(session, 7);
#elif defined(SPLIT)
	return handle__original(session, hidden);
#else
	return handle(session, 7);
#endif
}

int main(void)
{
	struct session session = {0};

	return shortcut(&session) + plain(other(1));
}
