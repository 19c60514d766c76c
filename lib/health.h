/* SPDX-License-Identifier: MIT */
/*
 * What the host reported of its requests, and whether that is worse than it
 * was. Counts and compares; does not know what for.
 */
#ifndef HP_HEALTH_H
#define HP_HEALTH_H

#include <hotpatch/health.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_HEALTH_CLASSES 240

/*
 * Sums since the process began, or between two moments.
 * @timed:      requests whose latency is known
 * @latency_us: of these together
 * @classes:    of these, how many took how long; see hp_health_class()
 */
struct hp_health_figures {
	uint64_t requests;
	uint64_t errors;
	uint64_t timed;
	uint64_t latency_us;
	uint64_t classes[HP_HEALTH_CLASSES];
};

/* What is compared. @mean_us and @tail_us, the 99th percentile, are at least
 * 1. */
struct hp_health_summary {
	uint64_t requests;
	uint64_t errors;
	uint64_t timed;
	uint64_t mean_us;
	uint64_t tail_us;
};

/* As in struct hotpatch_apply_options; 0 for what is not compared. */
struct hp_health_limits {
	unsigned int errors;
	unsigned int latency_percent;
	unsigned int tail_percent;
};

/* With fewer requests, those that are missing count as without an error. */
#define HP_HEALTH_REQUESTS 1000
/* With fewer latencies on either side these are not compared. */
#define HP_HEALTH_LATENCIES 100

/* The class of a latency, and the longest that is in a class. */
size_t hp_health_class(uint64_t latency_us);
uint64_t hp_health_class_limit(size_t number);

/* As far as other threads' reports have come. Any context. */
void hp_health_read(struct hp_health_figures *figures);
/* Takes @since off @figures. */
void hp_health_subtract(struct hp_health_figures *figures,
			const struct hp_health_figures *since);
void hp_health_sum_up(const struct hp_health_figures *figures,
		      struct hp_health_summary *summary);

/* False, with why in @reason, if @now is beyond the limits. */
bool hp_health_judge(const struct hp_health_limits *limits,
		     const struct hp_health_summary *before,
		     const struct hp_health_summary *now, char *reason,
		     size_t size);

#endif
