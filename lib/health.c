/* SPDX-License-Identifier: MIT */
/*
 * The counters are kept several times, each in cache lines of its own, and a
 * thread adds to the one that its thread-local memory chooses: so threads
 * rarely share one, and none has to be made or given back.
 */
#include "health.h"

#include "atomic.h"

#include <stdio.h>
#include <string.h>

#define SHARE_BITS 4
#define SHARES (1u << SHARE_BITS)

/* Of a power of two, as many classes as two to the power of that. */
#define CLASS_BITS 3
#define CLASSES_OF_ONE (1u << CLASS_BITS)
#define LAST_POWER 31

_Static_assert((LAST_POWER - CLASS_BITS + 2) * CLASSES_OF_ONE ==
		       HP_HEALTH_CLASSES,
	       "the last class is that of the last power of two");

static struct {
	_Alignas(64) struct hp_health_figures figures;
} shares[SHARES];

static __thread char here __attribute__((tls_model("initial-exec")));

size_t hp_health_class(uint64_t latency_us)
{
	unsigned int power;

	if (latency_us < CLASSES_OF_ONE)
		return latency_us;
	power = 63u - (unsigned int)__builtin_clzll(latency_us);
	if (power > LAST_POWER)
		return HP_HEALTH_CLASSES - 1;
	return (size_t)(power - CLASS_BITS) * CLASSES_OF_ONE +
	       (latency_us >> (power - CLASS_BITS));
}

uint64_t hp_health_class_limit(size_t number)
{
	size_t shift = number / CLASSES_OF_ONE;

	if (shift < 2)
		return number;
	return ((CLASSES_OF_ONE + number % CLASSES_OF_ONE + 1ull)
		<< (shift - 1)) -
	       1;
}

static struct hp_health_figures *own_share(void)
{
	uint64_t place = (uint64_t)(uintptr_t)&here;

	/* Fibonacci hashing: threads' memory lies at regular distances. */
	return &shares[(place * 0x9e3779b97f4a7c15u) >> (64 - SHARE_BITS)]
			.figures;
}

/* Relaxed throughout: counters, of which each stands for itself. */
void hotpatch_health_report(bool failed, uint64_t latency_us)
{
	struct hp_health_figures *share = own_share();

	hp_add_relaxed(&share->requests, 1);
	if (failed)
		hp_add_relaxed(&share->errors, 1); /* relaxed: see above */
	if (latency_us == HOTPATCH_LATENCY_UNKNOWN)
		return;
	hp_add_relaxed(&share->timed, 1); /* relaxed: see above */
	hp_add_relaxed(&share->latency_us, latency_us);
	hp_add_relaxed(&share->classes[hp_health_class(latency_us)], 1);
}

void hp_health_read(struct hp_health_figures *figures)
{
	const struct hp_health_figures *share;
	size_t i;
	size_t j;

	memset(figures, 0, sizeof(*figures));
	for (i = 0; i < SHARES; i++) {
		share = &shares[i].figures;
		/* Relaxed: see hotpatch_health_report(). */
		figures->requests += hp_load_relaxed(&share->requests);
		figures->errors += hp_load_relaxed(&share->errors);
		figures->timed += hp_load_relaxed(&share->timed);
		figures->latency_us += hp_load_relaxed(&share->latency_us);
		for (j = 0; j < HP_HEALTH_CLASSES; j++)
			figures->classes[j] +=
				/* Relaxed: likewise. */
				hp_load_relaxed(&share->classes[j]);
	}
}

void hp_health_subtract(struct hp_health_figures *figures,
			const struct hp_health_figures *since)
{
	size_t i;

	figures->requests -= since->requests;
	figures->errors -= since->errors;
	figures->timed -= since->timed;
	figures->latency_us -= since->latency_us;
	for (i = 0; i < HP_HEALTH_CLASSES; i++)
		figures->classes[i] -= since->classes[i];
}

static uint64_t at_least_one(uint64_t value)
{
	return value ? value : 1;
}

/* The latency that 99 of 100 do not exceed. */
static uint64_t tail_of(const struct hp_health_figures *figures)
{
	uint64_t total = 0;
	uint64_t seen = 0;
	size_t i;

	/* What was read while others reported need not add up to @timed. */
	for (i = 0; i < HP_HEALTH_CLASSES; i++)
		total += figures->classes[i];
	for (i = 0; i < HP_HEALTH_CLASSES; i++) {
		seen += figures->classes[i];
		if (seen * 100 >= total * 99)
			break;
	}
	return total ? hp_health_class_limit(i) : 0;
}

void hp_health_sum_up(const struct hp_health_figures *figures,
		      struct hp_health_summary *summary)
{
	summary->requests = figures->requests;
	summary->errors = figures->errors;
	summary->timed = figures->timed;
	summary->mean_us = at_least_one(figures->latency_us /
					at_least_one(figures->timed));
	summary->tail_us = at_least_one(tail_of(figures));
}

/* Of 10,000 requests. */
static uint64_t error_rate(const struct hp_health_summary *summary)
{
	uint64_t requests = summary->requests;

	if (requests < HP_HEALTH_REQUESTS)
		requests = HP_HEALTH_REQUESTS;
	return summary->errors * 10000 / requests;
}

static bool are_errors_well(unsigned int limit,
			    const struct hp_health_summary *before,
			    const struct hp_health_summary *now, char *reason,
			    size_t size)
{
	if (!limit || error_rate(now) <= error_rate(before) + limit)
		return true;
	snprintf(reason, size,
		 "%llu of %llu requests failed, before it %llu of %llu",
		 (unsigned long long)now->errors,
		 (unsigned long long)now->requests,
		 (unsigned long long)before->errors,
		 (unsigned long long)before->requests);
	return false;
}

struct latency {
	const char *what;
	unsigned int percent;
	uint64_t before_us;
	uint64_t now_us;
};

static bool is_latency_well(const struct latency *latency, char *reason,
			    size_t size)
{
	if (!latency->percent ||
	    latency->now_us * 100 <= latency->before_us * latency->percent)
		return true;
	snprintf(reason, size, "%s %llu us, before it %llu us", latency->what,
		 (unsigned long long)latency->now_us,
		 (unsigned long long)latency->before_us);
	return false;
}

bool hp_health_judge(const struct hp_health_limits *limits,
		     const struct hp_health_summary *before,
		     const struct hp_health_summary *now, char *reason,
		     size_t size)
{
	const struct latency mean = {"requests take", limits->latency_percent,
				     before->mean_us, now->mean_us};
	const struct latency tail = {"1 of 100 requests takes over",
				     limits->tail_percent, before->tail_us,
				     now->tail_us};

	if (!are_errors_well(limits->errors, before, now, reason, size))
		return false;
	if (before->timed < HP_HEALTH_LATENCIES ||
	    now->timed < HP_HEALTH_LATENCIES)
		return true;
	return is_latency_well(&mean, reason, size) &&
	       is_latency_well(&tail, reason, size);
}
