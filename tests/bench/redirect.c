/* SPDX-License-Identifier: MIT */
/*
 * What redirecting costs: the analysis of a library, and a batch of a thousand
 * of its functions, beside smaller ones and batches of one. Times are only
 * told; that a batch is worth its name is judged.
 *
 * usage: redirect LIBRARY
 */
#include "../../lib/redirect/code.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How many are redirected alone, by tens and by hundreds, before the rest. */
#define SINGLE 50u
#define BY_TENS 100u
#define BY_HUNDREDS 500u
#define BEFORE (SINGLE + BY_TENS + BY_HUNDREDS)
#define COUNT (1000u + BEFORE)
/* A function of a batch may cost this part of one alone. */
#define PART 5

static struct hotpatch_function_name names[COUNT];

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void check(enum hotpatch_status status, const struct hotpatch_error *err)
{
	if (status == HOTPATCH_OK)
		return;
	fprintf(stderr, "redirect: %s\n", err->sentence);
	exit(1);
}

/* Neighbours, as far as they can be redirected. */
static size_t choose(const struct hp_code *code, uintptr_t base)
{
	size_t count;
	const struct hp_function *functions = hp_code_functions(code, &count);
	size_t chosen = 0;
	size_t i;

	for (i = 0; i < count && chosen < COUNT; i++)
		if (functions[i].refusal == HOTPATCH_REFUSAL_NONE)
			names[chosen++].address =
				(const void *)(base + functions[i].start);
	return chosen;
}

/* In a child, so that nothing is there yet when it counts: leaves out those
 * that find no room in this process. */
static size_t leave_out(size_t count)
{
	char *fits = mmap(NULL, COUNT, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	size_t kept = 0;
	size_t i;

	if (child == 0) {
		for (i = 0; i < count; i++)
			fits[i] = hotpatch_redirect(&names[i], 1, NULL) ==
				  HOTPATCH_OK;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	for (i = 0; i < count; i++)
		if (fits[i])
			names[kept++] = names[i];
	munmap(fits, COUNT);
	return kept;
}

/* In microseconds of the CPU's for each function. */
struct cost {
	double redirect;
	double release;
};

static struct cost cost_of(size_t from, size_t count, size_t at_once)
{
	struct cost cost = {0, 0};
	struct hotpatch_error err;
	double start = now_us();
	size_t i;

	for (i = from; i < from + count; i += at_once)
		check(hotpatch_redirect(&names[i], at_once, &err), &err);
	cost.redirect = (now_us() - start) / (double)count;
	start = now_us();
	for (i = from; i < from + count; i += at_once)
		check(hotpatch_redirect_release(&names[i], at_once, &err),
		      &err);
	cost.release = (now_us() - start) / (double)count;
	return cost;
}

static const struct hp_code *analyse(const struct link_map *map)
{
	const struct hp_code *code;
	struct hotpatch_error err;
	double start = now_us();
	size_t count;

	check(hp_code_open(map->l_name, "", &code, &err), &err);
	hp_code_functions(code, &count);
	printf("analysis of %s: %.0f ms of the CPU, %zu functions\n",
	       map->l_name, (now_us() - start) / 1e3, count);
	return code;
}

static struct cost told(const char *what, struct cost cost)
{
	printf("%-22s %9.2f %8.2f\n", what, cost.redirect, cost.release);
	return cost;
}

int main(int argc, char **argv)
{
	void *handle = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	struct link_map *map;
	struct cost alone;
	struct cost first;
	size_t count;

	if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
		printf("the library cannot be loaded\n");
		return 77;
	}
	count = leave_out(choose(analyse(map), map->l_addr));
	if (count <= BEFORE) {
		printf("the library has too few functions\n");
		return 77;
	}
	printf("us for each function    redirect  release\n");
	alone = told("alone", cost_of(0, SINGLE, 1));
	told("10 at once", cost_of(SINGLE, BY_TENS, 10));
	told("100 at once", cost_of(SINGLE + BY_TENS, BY_HUNDREDS, 100));
	count -= BEFORE;
	first = told("1000 at once", cost_of(BEFORE, count, count));
	told("1000 at once, again", cost_of(BEFORE, count, count));
	if (first.redirect * PART > alone.redirect) {
		fprintf(stderr, "redirect: a batch is no help\n");
		return 1;
	}
	return 0;
}
