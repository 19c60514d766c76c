/* SPDX-License-Identifier: MIT */
/*
 * One flavour of liburcu, with its inline functions: FLAVOUR is its name,
 * FLAVOUR_HEADER its header. qsbr has nothing around a call, and says between
 * two that it is at rest.
 */
#define _LGPL_SOURCE
#define URCU_API_MAP
#include FLAVOUR_HEADER

#include "sample.h"
#include "sections.h"

#define NAME_(flavour) "urcu-" #flavour
#define NAME(flavour) NAME_(flavour)
#define SIDE_(flavour) urcu_##flavour##_side
#define SIDE(flavour) SIDE_(flavour)

static void start(void)
{
	rcu_register_thread();
}

static void run(unsigned long count)
{
	LOOP(count, {
		rcu_read_lock();
		CALL_POINTER((int)i);
		rcu_read_unlock();
		rcu_quiescent_state(); /* nothing, but for qsbr */
	});
}

static void stop(void)
{
	rcu_unregister_thread();
}

const struct side SIDE(FLAVOUR) = {NAME(FLAVOUR), start, run, stop};
