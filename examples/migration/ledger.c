/* SPDX-License-Identifier: MIT */
/*
 * Clerks deposit one cent at a time into a balance that they share, while a
 * bundle changes the unit in which the balance is kept. In the end the balance
 * should be what was deposited.
 *
 * usage: ledger BUNDLE
 */
#include "ledger.h"

#include <hotpatch/hotpatch.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define CLERKS 4

long balance;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long deposited[CLERKS];
static int closing_time;

HOTPATCH_FUNCTION(void, deposit, (long cents))
{
	balance += cents;
}

HOTPATCH_FUNCTION(long, balance_in_cents, (void))
{
	return balance;
}

static void *clerk(void *argument)
{
	unsigned long *mine = argument;

	hotpatch_enter();
	while (!__atomic_load_n(&closing_time, __ATOMIC_RELAXED)) {
		hotpatch_safe_point(); /* between two customers */
		pthread_mutex_lock(&lock);
		deposit(1);
		pthread_mutex_unlock(&lock);
		__atomic_fetch_add(mine, 1, __ATOMIC_RELAXED);
	}
	hotpatch_leave();
	return NULL;
}

/* Returns when every clerk has had @count more customers. */
static void await_customers(unsigned long count)
{
	unsigned long start;
	int i;

	for (i = 0; i < CLERKS; i++) {
		start = __atomic_load_n(&deposited[i], __ATOMIC_RELAXED);
		while (__atomic_load_n(&deposited[i], __ATOMIC_RELAXED) -
			       start <
		       count)
			sched_yield();
	}
}

static enum hotpatch_status change_unit(const char *path,
					struct hotpatch_error *err)
{
	struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.rendezvous_ms = 2000,
	};
	struct hotpatch_patch *patch;
	enum hotpatch_status status;

	status = hotpatch_patch_open(path, NULL, &patch, err);
	if (!status)
		status = hotpatch_patch_apply(patch, &options, err);
	if (status)
		return status;
	await_customers(100); /* business goes on */
	return hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, err);
}

static long count_deposits(void)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < CLERKS; i++)
		sum += deposited[i];
	return (long)sum;
}

int main(int argc, char **argv)
{
	pthread_t threads[CLERKS];
	struct hotpatch_error err;
	int i;

	if (argc != 2)
		return EXIT_FAILURE;
	for (i = 0; i < CLERKS; i++)
		if (pthread_create(&threads[i], NULL, clerk, &deposited[i]))
			return EXIT_FAILURE;
	await_customers(100);
	if (change_unit(argv[1], &err)) {
		fprintf(stderr, "ledger: %s\n", err.sentence);
		return EXIT_FAILURE;
	}
	await_customers(100);
	__atomic_store_n(&closing_time, 1, __ATOMIC_RELAXED);
	for (i = 0; i < CLERKS; i++)
		pthread_join(threads[i], NULL);
	printf("deposited %ld cents, the balance is %s\n", count_deposits(),
	       balance_in_cents() == count_deposits() ? "right" : "wrong");
	return EXIT_SUCCESS;
}
