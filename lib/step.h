/* SPDX-License-Identifier: MIT */
/*
 * Where the torture (tests/stress/torture.c) gets hold of the protocol: the
 * steps at which it delays a thread, and the parts that it takes out one at a
 * time, to see that it would notice. Only the torture's own build of the
 * library has them. In every other one a step is nothing, an order is its two
 * statements, and a part is there.
 */
#ifndef HP_STEP_H
#define HP_STEP_H

#ifdef HP_TORTURE

#include <stdint.h>

/* What -DHP_WITHOUT=NAME takes out. Each order is a step as well: between its
 * two sides. */
#define HP_PART_MAP(X)                                                         \
	X(NOTHING)                                                             \
	X(DEPTH_BEFORE_SEEN)                                                   \
	X(SEEN_RECHECK)                                                        \
	X(SEEN_EXCHANGE)                                                       \
	X(HANDLER_PUBLISHES)                                                   \
	X(HANDLER_KEEPS_SEEN)                                                  \
	X(SAFE_POINT_MARK)                                                     \
	X(ADOPT_BEFORE_MARK)                                                   \
	X(LEAVE_RELEASE)                                                       \
	X(HEADER_RECHECK)                                                      \
	X(HEADER_DEPTH)                                                        \
	X(REST_BEFORE_FREE)                                                    \
	X(RECORD_BEFORE_VIEW)                                                  \
	X(VIEW_BEFORE_DETOUR)                                                  \
	X(DETOUR_BEFORE_ADVANCE)                                               \
	X(BEGIN_BARRIER)                                                       \
	X(ADVANCE_BARRIER)                                                     \
	X(TURN_BARRIER)                                                        \
	X(SETTLE_BARRIER)                                                      \
	X(DRAIN)                                                               \
	X(RECORD_REST)                                                         \
	X(NOTE_BEFORE_LOOK)                                                    \
	X(LOOK_UNTIL_QUIET)                                                    \
	X(RELEASE_LOOKS)                                                       \
	X(MOVED_MARK)                                                          \
	X(PROGRESS_BEFORE_WAITERS)                                             \
	X(WAITERS_BEFORE_SLEEP)                                                \
	X(GATHER_BARRIER)                                                      \
	X(SWITCH_ADVANCE)                                                      \
	X(CANARY_RECORD)                                                       \
	X(CANARY_HOLDS)                                                        \
	X(CANARY_NEWEST)                                                       \
	X(TO_ALL_BARRIER)                                                      \
	X(GRACE)                                                               \
	X(STRANGERS)

#define HP_STEP_MAP(X)                                                         \
	X(REGISTER)                                                            \
	X(ENTER)                                                               \
	X(VIEW_READ)                                                           \
	X(ANNOUNCED)                                                           \
	X(ENTERED)                                                             \
	X(LEAVE)                                                               \
	X(LEFT)                                                                \
	X(SAFE_POINT)                                                          \
	X(ADOPTED)                                                             \
	X(THREAD_ENDS)                                                         \
	X(DISPATCH)                                                            \
	X(LOCKED)                                                              \
	X(RELEASED)                                                            \
	X(STAGE)                                                               \
	X(DETOUR)                                                              \
	X(ADVANCE)                                                             \
	X(BARRIER)                                                             \
	X(BARRIER_PASSED)                                                      \
	X(ALL_FENCED)                                                          \
	X(LOOK)                                                                \
	X(LOOKED)                                                              \
	X(SETTLE)                                                              \
	X(SETTLED)                                                             \
	X(TURN)                                                                \
	X(FORCE)                                                               \
	X(ADOPT_FOR)                                                           \
	X(RECLAIM)                                                             \
	X(PROGRESS)                                                            \
	X(WAIT)                                                                \
	X(ENLIST)                                                              \
	X(DELIST)                                                              \
	X(PROVE)                                                               \
	X(PROVE_THREAD)                                                        \
	X(PROVEN)                                                              \
	X(CLOSE_OBJECT)                                                        \
	X(OBJECT_CLOSED)

enum hp_step {
#define HP_STEP_ENUM(name) HP_STEP_##name,
	HP_PART_MAP(HP_STEP_ENUM)
	HP_STEP_MAP(HP_STEP_ENUM)
#undef HP_STEP_ENUM
		HP_STEPS
};

/* Both are the torture's. Perhaps delays the caller; async-signal-safe. */
void hp_step_pass(enum hp_step step);
void hp_step_dispatch(void); /* the same, from assembly */
/* A store that nothing orders before the loads that follow it. */
void hp_step_store(uint64_t *place, uint64_t value);
/* How long a waiter sleeps at most, that would have slept @pause_ns. */
uint64_t hp_step_pause(uint64_t pause_ns);

#ifndef HP_WITHOUT
#define HP_WITHOUT NOTHING
#endif

#define HP_STEP_OF_(name) HP_STEP_##name
#define HP_STEP_OF(name) HP_STEP_OF_(name)

#define hp_step(name) hp_step_pass(HP_STEP_##name)
#define hp_store_announced(place, value) hp_step_store((place), (value))
#define HP_KEEP(name) (HP_STEP_##name != HP_STEP_OF(HP_WITHOUT))
#define HP_ORDER(name, first, second)                                          \
	do {                                                                   \
		if (HP_KEEP(name)) {                                           \
			first;                                                 \
			hp_step(name);                                         \
			second;                                                \
		} else {                                                       \
			second;                                                \
			hp_step(name);                                         \
			first;                                                 \
		}                                                              \
	} while (0)

#else

/* Something else may happen here. */
#define hp_step(name) ((void)0)

/* Is this part of the protocol there? */
#define HP_KEEP(name) 1

/* @first, then @second, which others must not see the other way round. */
#define HP_ORDER(name, first, second)                                          \
	do {                                                                   \
		first;                                                         \
		second;                                                        \
	} while (0)

#define hp_step_pause(pause_ns) (pause_ns)

/* A relaxed store that others may see late. */
#define hp_store_announced(place, value) hp_store_relaxed((place), (value))

#endif

#endif
