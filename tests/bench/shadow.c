/* SPDX-License-Identifier: MIT */
/*
 * What it costs to reach a datum of an object: as a member, through a plain
 * hash table that no other thread changes, and as shadow data.
 *
 * usage: shadow LOOP COUNT OBJECTS	runs a loop, for counting instructions
 *        shadow times OBJECTS		prints nanoseconds
 */
#include "../../lib/shadow_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 2000000ul

struct object {
	uint64_t member;
	char more[56];
	struct object *next; /* in its bucket */
};

HOTPATCH_SHADOW(uint64_t, shadow, 1)

static struct object *objects;
static size_t mask; /* of as many buckets as objects, a power of two */
static struct object **buckets;
static uint64_t *data;

/* The library's, which the table alone does not need. */
void hp_shadow_tell_stale(const struct hotpatch_shadow_type *type,
			  const void *object)
{
	(void)type;
	(void)object;
}

static size_t bucket_of(const void *object)
{
	return (size_t)((uintptr_t)object * 0x9e3779b97f4a7c15u >> 40) & mask;
}

/* Not inlined, as a get of the library is not. */
__attribute__((noinline)) static uint64_t *
plain_get(const struct object *object)
{
	struct object *entry = buckets[bucket_of(object)];

	while (entry && entry != object)
		entry = entry->next;
	return entry ? &data[entry - objects] : NULL;
}

static bool fill(size_t count)
{
	size_t i;

	objects = calloc(count, sizeof(*objects));
	buckets = calloc(count, sizeof(*buckets));
	data = calloc(count, sizeof(*data));
	mask = count - 1;
	if (!objects || !buckets || !data || !hp_shadow_table_reserve(count))
		return false;
	for (i = 0; i < count; i++) {
		const struct hp_shadow_sight entry = {
			hp_shadow_key(&shadow_shadow_type), &data[i], 0};
		struct object **bucket = &buckets[bucket_of(&objects[i])];

		objects[i].next = *bucket;
		*bucket = &objects[i];
		hp_shadow_table_put((uintptr_t)&objects[i], &entry);
	}
	return true;
}

/* Objects in an order that no prefetcher guesses: a full cycle. */
#define LOOP(work)                                                             \
	for (i = 0; i < count; i++) {                                          \
		struct object *object = &objects[at];                          \
                                                                               \
		at = (at * 5 + 1) & mask;                                      \
		__asm__ volatile("" : "+r"(object));                           \
		work;                                                          \
	}

static void run(const char *what, unsigned long count)
{
	uint64_t sum = 0;
	unsigned long i;
	size_t at = 0;

	if (strcmp(what, "member") == 0)
		LOOP(sum += object->member)
	else if (strcmp(what, "plain") == 0)
		LOOP(sum += *plain_get(object))
	else if (strcmp(what, "shadow") == 0)
		LOOP(sum += *shadow_get(object))
	else
		LOOP((void)0)
	__asm__ volatile("" : : "r"(sum));
}

static double nanoseconds(const char *what)
{
	struct timespec start;
	struct timespec stop;

	run(what, ROUNDS);
	clock_gettime(CLOCK_MONOTONIC, &start);
	run(what, ROUNDS);
	clock_gettime(CLOCK_MONOTONIC, &stop);
	return ((double)(stop.tv_sec - start.tv_sec) * 1e9 +
		(double)(stop.tv_nsec - start.tv_nsec)) /
	       (double)ROUNDS;
}

/* The best of five, since others use the machine too. */
static double best(const char *what)
{
	double least = nanoseconds(what);
	int i;

	for (i = 0; i < 4; i++) {
		double again = nanoseconds(what);

		least = again < least ? again : least;
	}
	return least;
}

static void print_times(size_t count)
{
	double empty = best("empty");
	double member = best("member") - empty;
	double plain = best("plain") - empty;
	double shadow = best("shadow") - empty;

	printf("%10zu %10.2f %10.2f %10.2f %13.2f\n", count, member, plain,
	       shadow, shadow / plain);
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? strtoul(argv[argc - 1], NULL, 10) : 0;

	if (count < 2 || (count & (count - 1)) != 0 || !fill(count))
		return 2;
	if (strcmp(argv[1], "times") == 0)
		print_times(count);
	else
		run(argv[1], strtoul(argv[2], NULL, 10));
	return 0;
}
