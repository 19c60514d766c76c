/* SPDX-License-Identifier: MIT */
/*
 * How often something may happen: so and so often in the long run, and a
 * number of times at once after a rest.
 */
#ifndef HP_CONTROL_PACE_H
#define HP_CONTROL_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* @due_ns: when the next would be due if they came evenly; 0 at first */
struct hp_pace {
	uint64_t due_ns;
};

struct hp_rate {
	uint64_t interval_ns;
	uint64_t burst;
};

/* True, and one more is counted, unless it is too early. */
static inline bool hp_pace_take(struct hp_pace *pace,
				const struct hp_rate *rate, uint64_t now_ns)
{
	uint64_t due_ns = pace->due_ns > now_ns ? pace->due_ns : now_ns;

	if (due_ns - now_ns > rate->interval_ns * (rate->burst - 1))
		return false;
	pace->due_ns = due_ns + rate->interval_ns;
	return true;
}

#endif
