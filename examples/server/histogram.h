/* SPDX-License-Identifier: MIT */
/*
 * A histogram of times with a relative error of 3 %: each power of two is cut
 * into 32 buckets.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_STEPS_LOG2 5
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEPS_LOG2)
#define HISTOGRAM_SIZE (64 * HISTOGRAM_STEPS)

struct histogram {
	uint64_t counts[HISTOGRAM_SIZE];
	uint64_t total;
	uint64_t max_ns;
};

static inline void histogram_add(struct histogram *histogram, uint64_t time_ns)
{
	uint64_t value = time_ns | HISTOGRAM_STEPS;
	unsigned int power = 63 - (unsigned int)__builtin_clzll(value);
	uint64_t step = value >> (power - HISTOGRAM_STEPS_LOG2);

	histogram->counts[power * HISTOGRAM_STEPS + step % HISTOGRAM_STEPS]++;
	histogram->total++;
	if (time_ns > histogram->max_ns)
		histogram->max_ns = time_ns;
}

static inline void histogram_merge(struct histogram *into,
				   const struct histogram *from)
{
	for (size_t i = 0; i < HISTOGRAM_SIZE; i++)
		into->counts[i] += from->counts[i];
	into->total += from->total;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

/* The time that @share of all stay below, in microseconds. */
static inline double histogram_quantile_us(const struct histogram *histogram,
					   double share)
{
	double wanted = share * (double)histogram->total;
	uint64_t seen = 0;

	/* histogram_add() uses no bucket below this one. */
	for (size_t i = HISTOGRAM_STEPS_LOG2 * HISTOGRAM_STEPS;
	     i < HISTOGRAM_SIZE; i++) {
		size_t power = i / HISTOGRAM_STEPS;
		uint64_t step = HISTOGRAM_STEPS + i % HISTOGRAM_STEPS;

		seen += histogram->counts[i];
		if (seen > 0 && (double)seen >= wanted)
			return (double)(step
					<< (power - HISTOGRAM_STEPS_LOG2)) /
			       1000.0;
	}
	return 0;
}

#endif
